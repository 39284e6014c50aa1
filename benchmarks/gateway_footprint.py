"""The gateway's footprint: seconds to import it and to its first reply, and resident memory after a thousand requests.

    .venv/bin/python -m benchmarks.gateway_footprint

A gateway process answers real HTTP requests; a gRPC server in this process stands in for serving and replies as
TensorFlow Serving does. Exits 1 if a bound is exceeded.

Findings: without bytecode caches (PYTHONDONTWRITEBYTECODE, as some containers set it) two thirds of the import is the
compiler, so the processes here use a cache, as an installed package does. The libraries are nearly all of the import.
On an idle machine it took 0.35 s, the libraries alone 0.27; start to the first mask 0.48 s; resident 131 MB after a
hundred requests, 132 MB after a thousand. Starting without garbage collection saves an eighth of the import.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from benchmarks.tools.stand_in import StandIn, shape
from contract import ClassInfo, ModelCard
from gateway.serving_client.protocol import serving_pb2 as pb

IMPORT_BOUND_S = 0.8
ANSWER_BOUND_S = 2.0
MEMORY_BOUND_MB = 150
STARTS = 5
REQUESTS = 1000
# What every server needs that decodes images behind FastAPI and calls a model over gRPC.
LIBRARIES = "fastapi, cv2, grpc.aio, google.protobuf.message, prometheus_client"
START_TIMEOUT_S = 30
# Never through a proxy from http_proxy.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CARD = ModelCard(
    name="bench",
    architecture="none",
    input_height=480,
    input_width=640,
    classes=tuple(ClassInfo(i, f"class {i}", (10 * i, 255 - 10 * i, 128)) for i in range(19)),
)


def stripes(_: pb.PredictRequest) -> pb.Tensor:
    """A mask of 19 vertical stripes in int_val."""
    height, width = CARD.input_height, CARD.input_width
    row = np.arange(width) * len(CARD.classes) // width
    packed = np.tile(row, height).astype(np.uint8).tobytes()
    return pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=shape(1, height, width), int_val=packed)


def import_seconds(modules: str, environment: dict[str, str]) -> float:
    """Seconds that importing ``modules`` takes in a fresh process."""
    script = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", script]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def resident_mb(pid: int) -> float:
    """Resident MB of a process, from Linux's /proc."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


@contextmanager
def running_gateway(environment: dict[str, str], serving_port: int) -> Iterator[tuple[str, int]]:
    """The URL and process id of a gateway that has just started and may not answer yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"PORT": str(port), "SERVING_ADDRESS": f"127.0.0.1:{serving_port}", "MODELS": CARD.name}
    environment = environment | {f"GATEWAY_{name}": value for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


def photo() -> bytes:
    """A JPEG of 1280x720."""
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8), (0, 0), 5)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def segment(url: str, body: bytes, output: str) -> None:
    """One request and its whole reply."""
    request = urllib.request.Request(f"{url}/segment?output={output}", body, method="POST")  # noqa: S310
    with LOCAL.open(request) as reply:
        reply.read()


def first_answer_seconds(environment: dict[str, str], serving_port: int, body: bytes) -> float:
    """Seconds from starting the process to the first mask, including the request for the model card."""
    started_at = time.perf_counter()
    with running_gateway(environment, serving_port) as (url, _):
        wait_until_alive(url)
        segment(url, body, "mask")
        return time.perf_counter() - started_at


def memory_after_requests(environment: dict[str, str], serving_port: int, body: bytes) -> tuple[float, float]:
    """Resident MB of a gateway process after a tenth of REQUESTS and after all, with all output forms in turn."""
    with running_gateway(environment, serving_port) as (url, process):
        wait_until_alive(url)
        early = 0.0
        for i in range(REQUESTS):
            if i == REQUESTS // 10:
                early = resident_mb(process)
            segment(url, body, ("mask", "color", "overlay", "json")[i % 4])
        return early, resident_mb(process)


def wait_until_alive(url: str) -> None:
    """Return once /livez answers; TimeoutError when it does not."""
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        try:
            LOCAL.open(f"{url}/livez").close()
        except urllib.error.URLError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(f"the gateway did not answer on {url} within {START_TIMEOUT_S} s")


def main() -> int:
    """Print the measurements and their bounds; 1 if one is exceeded."""
    server, port = StandIn(CARD, stripes).serve()
    body = photo()
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache
        first_answer_seconds(environment, port, body)  # fills the cache
        # In turn, so that a busy moment affects both.
        pairs = [
            [import_seconds(modules, environment) for modules in ("gateway.app", LIBRARIES)] for _ in range(STARTS)
        ]
        imported, libraries = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
        answered = statistics.median(first_answer_seconds(environment, port, body) for _ in range(STARTS))
        early, late = memory_after_requests(environment, port, body)
    server.stop(None)
    print(f"import gateway.app             {imported:6.2f} s    (bound {IMPORT_BOUND_S} s, median of {STARTS})")
    print(f"import of its libraries alone  {libraries:6.2f} s    ({LIBRARIES})")
    print(f"start to the first mask        {answered:6.2f} s    (bound {ANSWER_BOUND_S} s, median of {STARTS})")
    print(f"resident after {REQUESTS // 10:5} requests  {early:6.0f} MB")
    print(f"resident after {REQUESTS:5} requests  {late:6.0f} MB   (bound {MEMORY_BOUND_MB} MB)")
    return int(imported > IMPORT_BOUND_S or answered > ANSWER_BOUND_S or late > MEMORY_BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
