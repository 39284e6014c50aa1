"""Cameras of 30 frames a second before a model of 100 ms: no growing lag, no idle model, equal streams.

The model answers one frame in 100 ms, so each of N senders gets a reply N times more rarely, but no older one: its
newest frame is taken when its turn comes. So the bound on latency is the same for one sender and for eight.
"""

import asyncio
import json
import os
import statistics
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from websockets.asyncio.client import connect

from segstack_testing.images import encode

pytestmark = pytest.mark.stream

FPS, SECONDS, MODEL_S = 30, 30, 0.1


class Model:
    """One image at a time, 100 ms each; ``spans`` are the times at work."""

    def __init__(self, network):
        self.spans = []
        self._network = network
        self._lock = threading.Lock()

    def __call__(self, image):
        with self._lock:
            began_at = time.monotonic()
            time.sleep(MODEL_S)
            self.spans.append((began_at, time.monotonic()))
        return self._network(image)

    def utilisation(self):
        """The fraction of time at work between the first image and the last."""
        return sum(ended - began for began, ended in self.spans) / (self.spans[-1][1] - self.spans[0][0])


@pytest.fixture
def frame() -> bytes:
    """A JPEG of 640x480 pixels, about as large as a webcam's."""
    noise = np.random.default_rng(9).integers(0, 256, (15, 20, 3), np.uint8)
    return encode(np.kron(noise, np.ones((32, 32, 1), np.uint8)), "JPEG", quality=80)


def p95(values):
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


@pytest.mark.parametrize("senders", [1, 8])
def test_latency_stays_flat_the_model_busy_and_streams_equal(run_gateway, serving, frame, tmp_path, senders):
    model = serving.network = Model(serving.network)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(frame)
    with run_gateway() as running:

        def single_requests():
            for _ in range(40):
                began_at = time.monotonic()
                assert running.client.post("/segment?size=model", content=frame).status_code == 200
                yield time.monotonic() - began_at

        single = list(single_requests())[1:]  # the first also fetches the model's card
        model.spans.clear()
        # A separate process, so that the cameras share no interpreter with the model.
        url = f"ws://127.0.0.1:{running.client.base_url.port}/stream"
        filmed = subprocess.run(
            [sys.executable, __file__, url, photo, str(senders)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},  # has segstack_testing
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
        at_work = model.utilisation()
        single += single_requests()  # other work on this machine slows both down, so both are measured for a while

    cameras = json.loads(filmed.stdout)
    everything = [latency for camera in cameras for latency in camera["latencies"]]
    print(
        f"{senders} senders: p95 {p95(everything):.3f} s, median {statistics.median(everything):.3f} s; single "
        f"request: p95 {p95(single):.3f} s; model at work {at_work:.3f} of the time"
    )
    answered = [camera["summary"]["answered"] for camera in cameras]
    for camera in cameras:
        summary = camera["summary"]
        assert summary["received"] == summary["answered"] + summary["failed"] + summary["dropped"] == camera["sent"]
        assert summary["answered"] == len(camera["latencies"])
        assert summary["failed"] == 0
        assert summary["dropped"] >= camera["dropped"]  # the last may be dropped after the last reply
    assert p95(everything) <= 1.5 * p95(single)
    assert at_work >= 0.95
    assert all(abs(count - statistics.mean(answered)) <= 0.2 * statistics.mean(answered) for count in answered)
    third = len(everything) // senders // 3
    early = statistics.median(latency for camera in cameras for latency in camera["latencies"][:third])
    late = statistics.median(latency for camera in cameras for latency in camera["latencies"][-third:])
    assert late <= 1.2 * early


async def film(url, photo):
    """Send ``photo`` for SECONDS as a camera would, without waiting for replies."""
    found = {"latencies": [], "dropped": 0}

    async def receive(stream):
        async for message in stream:
            if isinstance(message, str):
                found["summary"] = json.loads(message)
            else:
                found["latencies"].append(time.monotonic() - struct.unpack_from("<d", message, 8)[0])
                found["dropped"] += struct.unpack_from("<I", message, 32)[0]

    async with connect(url, proxy=None, compression=None) as stream:
        receiving = asyncio.create_task(receive(stream))
        began_at = time.monotonic()
        for sequence in range(FPS * SECONDS):
            await asyncio.sleep(began_at + sequence / FPS - time.monotonic())
            await stream.send(struct.pack("<BBHId", 1, 1, 0, sequence, time.monotonic()) + photo)
        await stream.send('{"type": "end"}')
        await receiving
    return {**found, "sent": FPS * SECONDS}


async def main(url, path, senders):
    photo = open(path, "rb").read()  # noqa: ASYNC230, PTH123, SIM115
    print(json.dumps(await asyncio.gather(*(film(url, photo) for _ in range(int(senders))))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
