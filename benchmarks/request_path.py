"""The path of one request: how many of the gateway's files a warm POST /segment enters, and its moves between them.

    .venv/bin/python -m benchmarks.request_path [--show]

A gateway process answers real HTTP requests; a gRPC server in this process stands in for serving. While one request is
answered, ``sys.setprofile`` watches every Python call in every thread of the gateway. A *move* is a call, or a resumed
await, into another file of the gateway than the one that called it; generated protobuf code and other packages are
passed through. The minimum over several requests is printed, since a poll of serving may run at the same time.
``--show`` lists the files in the order of their first use, with the functions entered.

It measures how much there is to read, not how fast it runs: the files to open to follow a request from its bytes to its
mask.
"""

import argparse
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

REQUESTS = 9
START_TIMEOUT_S = 30
# Never through the proxy that http_proxy may name.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Watch:
    """Counts moves between the files of a package while it is on."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._on = False
        self._last = threading.local()
        self._forget()

    def _forget(self) -> None:
        self.moves = 0
        self.files: dict[str, dict[str, None]] = {}

    def toggle(self, *_: Any) -> None:
        """On; or off, and what was counted written as a line of JSON to standard output."""
        self._on = not self._on
        if self._on:
            self._forget()
        else:
            files = {file: list(functions) for file, functions in self.files.items()}
            print(json.dumps({"moves": self.moves, "files": files}), flush=True)

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """The profile function."""
        if not self._on or event != "call":
            return
        file = frame.f_code.co_filename
        if self._package not in file or file.endswith("_pb2.py"):
            return
        name = file.rsplit(self._package, 1)[1]
        caller = frame.f_back
        while caller is not None and self._package not in caller.f_code.co_filename:
            caller = caller.f_back
        came_from = caller.f_code.co_filename if caller else getattr(self._last, "file", "")
        self._last.file = file
        self.files.setdefault(name, {})[frame.f_code.co_qualname] = None
        if came_from != file:
            self.moves += 1


def run_gateway() -> None:
    """The gateway, watched; SIGUSR1 turns the watch on and off."""
    watch = Watch(f"{os.sep}gateway{os.sep}gateway{os.sep}")
    signal.signal(signal.SIGUSR1, watch.toggle)
    threading.setprofile(watch)
    sys.setprofile(watch)
    sys.argv = ["gateway"]
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)


def measure() -> dict[str, Any]:
    """The shortest of several warm requests: ``moves``, and ``files`` with the functions entered in each."""
    import cv2
    import numpy as np

    from benchmarks.gateway_footprint import CARD, stripes
    from benchmarks.tools.stand_in import StandIn

    photo = np.random.default_rng(0).integers(0, 255, (CARD.input_height, CARD.input_width, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", photo)[1].tobytes()
    server, serving_port = StandIn(CARD, stripes).serve()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "GATEWAY_SERVING_ADDRESS": f"127.0.0.1:{serving_port}",
        "GATEWAY_MODELS": CARD.name,
        "GATEWAY_PORT": str(port),
        "GATEWAY_LOG_LEVEL": "error",
    }
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "counts").open("w+") as counts:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.request_path", "--watched"], env=os.environ | settings, stdout=counts
        )
        try:
            for number in range(REQUESTS + 3):
                _post(port, jpeg, process, number >= 3)
        finally:
            process.terminate()
            process.wait()
            server.stop(None)
        counts.seek(0)
        found = [json.loads(line) for line in counts]
    return min(found, key=lambda each: each["moves"])


def _post(port: int, jpeg: bytes, process: subprocess.Popen[bytes], watched: bool) -> None:
    if watched:
        time.sleep(0.2)  # so that work after the last reply has ended
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/segment", jpeg, {"Content-Type": "image/jpeg"})
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            LOCAL.open(request, timeout=30).read()
            break
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
    if watched:
        time.sleep(0.2)
        process.send_signal(signal.SIGUSR1)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_path")
    parser.add_argument("--show", action="store_true", help="list the files in the order of their first use")
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watched:
        run_gateway()
        return
    found = measure()
    for file, functions in found["files"].items() if options.show else ():
        print(f"{file:36} {', '.join(functions)}")
    print(f"one warm POST /segment: {len(found['files'])} files, {found['moves']} moves between files")


if __name__ == "__main__":
    main()
