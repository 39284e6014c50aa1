"""Fixtures of the gateway's and segclient's tests; each ``conftest.py`` imports all of them."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gateway.settings import Settings
from gateway.transport.certificates import make_certificates
from segstack_testing.fake_serving import FakeServing
from segstack_testing.gateways import GatewayProcess, SharedGateway, gateway_process, gateway_thread
from segstack_testing.images import PHOTO, encode

__all__ = [
    "anyio_backend",
    "gate",
    "jpeg",
    "make_gateway",
    "photo",
    "run_gateway",
    "serving",
    "shared_certificates",
    "shared_gateway",
    "submit",
    "unused_address",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_gateway() -> Iterator[SharedGateway]:
    """The gateway behind ``serving`` and ``client``; tests use those."""
    shared = SharedGateway()
    yield shared
    shared.stop()


@pytest.fixture
def serving(shared_gateway: SharedGateway) -> Iterator[FakeServing]:
    """Serving with model ``shapes``, version 1; what a test scripts is forgotten afterwards."""
    yield shared_gateway.serving
    shared_gateway.settle()


@pytest.fixture
def make_gateway(serving: FakeServing) -> Iterator[Callable[..., httpx.Client]]:
    """``make_gateway(**settings)``: the HTTP client of a gateway in front of ``serving``."""
    with ExitStack() as running:

        def make(verify: Any = False, **settings: Any) -> httpx.Client:
            values = {"serving_address": serving.address, "models": ("shapes",), "port": 0, "codec_threads": 2}
            return running.enter_context(gateway_thread(Settings(**{**values, **settings}), verify))

        yield make


@pytest.fixture
def run_gateway(serving: FakeServing) -> Callable[..., AbstractContextManager[GatewayProcess]]:
    """``with run_gateway(**settings) as running``: ``python -m gateway`` in front of ``serving``."""
    return partial(gateway_process, serving_address=serving.address)


@pytest.fixture
def unused_address() -> Iterator[str]:
    """An address that refuses connections: its port is taken, so that nothing else starts to listen there."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture(scope="session")
def shared_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``segstack gateway cert`` leaves it, for 127.0.0.1 and localhost; to be read only."""
    folder = tmp_path_factory.mktemp("tls") / "certs"
    make_certificates(folder, ["127.0.0.1", "localhost"])
    return folder


@pytest.fixture
def submit() -> Iterator[Callable[..., Future]]:
    """``submit(function, …)`` calls it in a thread and gives the future of its result."""
    with ThreadPoolExecutor(32) as threads:
        yield threads.submit


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event for scripted faults to wait on; set at the end, so that no server thread is left behind."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """uint8 [96,128,3]: a red, a green, a blue and a dark quarter."""
    return PHOTO


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """``photo`` as JPEG of quality 95."""
    return encode(PHOTO, "JPEG", quality=95)
