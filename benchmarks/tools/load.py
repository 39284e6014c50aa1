"""Load clients, the same for every server: each sends its next request after a reply, or at a fixed rate.

    .venv/bin/python -m benchmarks.tools.load http 127.0.0.1:8000 --body photo.jpg --clients 8 --seconds 5
    .venv/bin/python -m benchmarks.tools.load grpc 127.0.0.1:8500 --body photo.npy --clients 8 --seconds 5

Runs as a separate process, so that no server shares an interpreter with its clients. Prints JSON: seconds of each
answered request, statuses, the sums of the replies' Server-Timing, and the total seconds.
"""

import argparse
import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.wire import predict_request

# One call: its status, and its Server-Timing.
Call = Callable[[], tuple[int, dict[str, float]]]


class Http:
    """POSTs one body repeatedly over persistent connections."""

    def __init__(self, address: str, body: bytes, content_type: str) -> None:
        self._address = address
        self._body = body
        self._headers = {"Content-Type": content_type}

    def connect(self) -> Call:
        """A client with its own connection."""
        connection = http.client.HTTPConnection(self._address, timeout=120)

        def call() -> tuple[int, dict[str, float]]:
            try:
                connection.request("POST", "/segment", self._body, self._headers)
                reply = connection.getresponse()
                reply.read()
            except (ConnectionError, http.client.HTTPException):
                connection.close()
                return 0, {}
            if reply.status == 200:
                return 200, _stages(reply.headers.get("Server-Timing", ""))
            return (reply.status if _is_honest(reply) else -reply.status), {}

        return call


class Grpc:
    """Sends one image, uint8 [H, W, 3], to model ``bench`` repeatedly."""

    def __init__(self, address: str, image: Path) -> None:
        pixels = np.load(image)
        self._address = address
        self._request = predict_request(
            pb.ModelSpec(name="bench"), {"image": tensors.from_image(pixels)}, ["mask"]
        ).data

    def connect(self) -> Call:
        """A client with its own channel."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        channel = grpc.insecure_channel(self._address, options=options)
        predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            response_deserializer=pb.PredictResponse.FromString,
        )

        def call() -> tuple[int, dict[str, float]]:
            predict(self._request, timeout=60)
            return 200, {}

        return call


def _stages(server_timing: str) -> dict[str, float]:
    """Milliseconds by stage."""
    parts = (part.strip().split(";dur=") for part in server_timing.split(",") if ";dur=" in part)
    return {name: float(duration) for name, duration in parts}


def _is_honest(reply: http.client.HTTPResponse) -> bool:
    """Whether a 429 or 503 has a Retry-After header."""
    return reply.status not in (429, 503) or "Retry-After" in reply.headers


def run(connect: Callable[[], Call], clients: int, seconds: float, rate: float | None = None) -> dict[str, Any]:
    """Let ``clients`` callers loop for ``seconds``, all together ``rate`` times a second or as often as they can.

    Returns:
        latencies: of answered requests, in seconds, in the order of their end.
        statuses: how often each; negative where Retry-After was missing, 0 where there was no answer at all.
        stages_ms: the sums of Server-Timing's durations.
        seconds: how long it took.
    """
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    stages: defaultdict[str, float] = defaultdict(float)
    lock = threading.Lock()
    calls = [connect() for _ in range(clients)]
    started_at = time.perf_counter()
    until = started_at + seconds

    def loop(call: Call, number: int) -> None:
        turn = started_at + number / rate if rate else 0
        while (now := time.perf_counter()) < until:
            if rate:
                # Turns missed while an answer was awaited are another caller's to make up for.
                while turn < now:
                    turn += clients / rate
                time.sleep(max(0, min(turn, until) - now))
            sent_at = time.perf_counter()
            status, spent = call()
            taken = time.perf_counter() - sent_at
            with lock:
                statuses[status] += 1
                if status == 200:
                    latencies.append(taken)
                    for name, milliseconds in spent.items():
                        stages[name] += milliseconds

    threads = [threading.Thread(target=loop, args=(call, number)) for number, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "latencies": latencies,
        "statuses": dict(statuses),
        "stages_ms": dict(stages),
        "seconds": time.perf_counter() - started_at,
    }


def main() -> None:
    """Run the loop that the command line describes, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("protocol", choices=["http", "grpc"])
    parser.add_argument("address")
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--content-type", default="image/jpeg")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, help="requests a second of all callers; default: as many as they can")
    given = parser.parse_args()
    if given.protocol == "http":
        connect = Http(given.address, given.body.read_bytes(), given.content_type).connect
    else:
        connect = Grpc(given.address, given.body).connect
    print(json.dumps(run(connect, given.clients, given.seconds, given.rate)))


if __name__ == "__main__":
    main()
