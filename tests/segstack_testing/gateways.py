"""Real gateways on loopback: in a thread of the tests' process, or ``python -m gateway`` in a separate process."""

import asyncio
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from gateway.access.keys import line_of, new_key
from gateway.settings import Settings
from gateway.transport.server import server
from segstack_testing.fake_serving import FakeServing
from segstack_testing.raw_http import held_port
from segstack_testing.waiting import scaled, wait_until


@contextmanager
def gateway_thread(settings: Settings, verify: ssl.SSLContext | bool = False) -> Iterator[httpx.Client]:
    """An HTTP client of a gateway that runs in a thread until the block ends; ``port=0`` picks a free port."""
    gateway = server(settings)
    gateway.main_loop = partial(_main_loop, gateway)
    gateway.shutdown = partial(_shutdown, gateway.shutdown)
    thread = threading.Thread(target=gateway.run)
    thread.start()
    while not gateway.started:
        assert thread.is_alive()
        time.sleep(0.001)
    port = gateway.servers[0].sockets[0].getsockname()[1]
    scheme = "https" if settings.tls_certificate else "http"
    with httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", timeout=scaled(15), verify=verify) as client:
        yield client
    gateway.should_exit = True
    thread.join()


async def _main_loop(gateway: uvicorn.Server) -> None:
    """Uvicorn's own looks at ``should_exit`` every 100 ms, for which hundreds of tests would wait."""
    ticks_at = 0.0
    while not gateway.should_exit:
        if time.monotonic() >= ticks_at:
            await gateway.on_tick(0)
            ticks_at = time.monotonic() + 1
        await asyncio.sleep(0.01)


async def _shutdown(shutdown: Callable[..., Awaitable[None]], sockets: Any = None) -> None:
    """Shut down, and let gRPC deliver its last events while this gateway's event loop is still open."""
    await shutdown(sockets)
    await asyncio.sleep(0.01)


class SharedGateway:
    """A `FakeServing` and a gateway with default settings, for all tests that leave both as they found them.

    The gateway is started when a test first asks for ``client``. `settle` replaces it by a new one if the test changed
    what serving answers, since a gateway remembers the cards and failures it saw.
    """

    def __init__(self) -> None:
        self.serving = FakeServing()
        self.serving.start()
        self._gateway = ExitStack()
        self._client: httpx.Client | None = None

    @property
    def client(self) -> httpx.Client:
        if self._client is None:
            settings = Settings(serving_address=self.serving.address, models=("shapes",), port=0, codec_threads=2)
            self._client = self._gateway.enter_context(gateway_thread(settings))
        return self._client

    def settle(self) -> None:
        """After a test: wait until nothing is under way and make serving answer as it did at first."""
        if self.serving.is_changed:
            self.stop_gateway()
        elif self._client is not None:
            wait_until(self._is_idle, what="the shared gateway's idleness")
        self.serving.restore()

    def _is_idle(self) -> bool:
        names = ("entered", "in_flight", "streams")
        text = self._client.get("/metrics").text if self._client else ""
        return all(f"\nsegstack_gateway_{name} 0.0\n" in text for name in names)

    def stop_gateway(self) -> None:
        self._client = None
        self._gateway.close()

    def stop(self) -> None:
        self.stop_gateway()
        self.serving.stop()


@dataclass
class GatewayProcess:
    """A running ``python -m gateway``; ``stderr`` is what it wrote, once it has ended."""

    client: httpx.Client
    process: subprocess.Popen
    port: int
    stderr: str = ""

    def is_live(self) -> bool:
        """Whether /livez answers 200; AssertionError where the process has ended."""
        assert self.process.poll() is None, "the gateway ended before it answered"
        try:
            return self.client.get("/livez").status_code == 200
        except httpx.ConnectError:
            return False

    def is_closed(self) -> bool:
        """Whether it accepts no new connection."""
        try:
            httpx.get(f"http://127.0.0.1:{self.port}/livez", trust_env=False)
        except httpx.TransportError:
            return True
        return False


@contextmanager
def gateway_process(**settings: Any) -> Iterator[GatewayProcess]:
    """Start ``python -m gateway`` with these settings and wait for /livez; SIGTERM at the end of the block."""
    values = {"port": held_port(), "models": "shapes", **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment |= {f"GATEWAY_{name.upper()}": str(value) for name, value in values.items()}
    with (
        tempfile.TemporaryFile("w+") as log,  # a pipe without a reader would fill up
        subprocess.Popen([sys.executable, "-m", "gateway"], env=environment, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{values['port']}", timeout=scaled(15), trust_env=False) as client,
    ):
        running = GatewayProcess(client, process, values["port"])
        try:
            wait_until(running.is_live, 30, "the gateway's first answer")
            yield running
        finally:
            process.terminate()
            process.wait(scaled(15))
            log.seek(0)
            running.stderr = log.read()


def metric(client: httpx.Client, name: str) -> float:
    """The value of a sample without labels on /metrics."""
    line = next(line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} "))
    return float(line.split()[-1])


def make_api_keys(file: Path, *names: str, suffix: str = "") -> list[str]:
    """Write an API keys file with a new key for each name and give the keys; ``suffix`` ends every line (a rate)."""
    keys = [new_key() for _ in names]
    file.write_text("".join(f"{line_of(name, key)}{suffix}\n" for name, key in zip(names, keys, strict=True)))
    return keys


def own_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The captured log records, without those of gRPC's events for the event loop of a gateway that has ended."""
    return [record for record in caplog.records if "PollerCompletionQueue" not in record.getMessage()]
