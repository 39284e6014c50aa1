"""Simulated cameras, the same for every server: frames at a fixed rate, or one request after another with the newest.

    python -m benchmarks.tools.cameras stream ws://127.0.0.1:8000/stream --body photo.jpg --cameras 8 --seconds 6
    python -m benchmarks.tools.cameras http http://127.0.0.1:8000/segment --body photo.jpg --cameras 8 --seconds 6

Runs as a separate process, so that no server shares an interpreter with its clients. Prints JSON: for each camera the
seconds from the capture of each answered frame to its reply, in order.
"""

import argparse
import asyncio
import contextlib
import json
import struct
import time
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

FPS = 30


async def film(url: str, photo: bytes, seconds: float) -> list[float]:
    """Send frames at the camera's rate, without waiting for replies."""
    latencies: list[float] = []

    async def receive(stream: ClientConnection) -> None:
        async for message in stream:
            if isinstance(message, bytes):
                latencies.append(time.monotonic() - struct.unpack_from("<d", message, 8)[0])

    async with connect(url, proxy=None, compression=None, max_size=None) as stream:
        receiving = asyncio.create_task(receive(stream))
        began_at = time.monotonic()
        with contextlib.suppress(TimeoutError):  # a server that does not read blocks the sender
            async with asyncio.timeout(seconds):
                for sequence in range(int(FPS * seconds)):
                    captured_at = began_at + sequence / FPS
                    await asyncio.sleep(captured_at - time.monotonic())
                    await stream.send(struct.pack("<BBHId", 1, 1, 0, sequence, captured_at) + photo)
        receiving.cancel()
    return latencies


async def post_newest(url: str, photo: bytes, seconds: float) -> list[float]:
    """POST the newest frame, wait for the reply, repeat."""
    latencies: list[float] = []
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        began_at = time.monotonic()
        while (now := time.monotonic()) < began_at + seconds:
            captured_at = began_at + int((now - began_at) * FPS) / FPS
            reply = await client.post(url, content=photo, params={"size": "model"})
            reply.raise_for_status()
            if (answered_at := time.monotonic()) < began_at + seconds:  # as for streams
                latencies.append(answered_at - captured_at)
    return latencies


async def run(kind: str, url: str, photo: bytes, cameras: int, seconds: float) -> list[list[float]]:
    """Run all cameras at once."""
    one = film if kind == "stream" else post_newest
    return await asyncio.gather(*(one(url, photo, seconds) for _ in range(cameras)))


def main() -> None:
    """Run the cameras and print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kind", choices=["stream", "http"])
    parser.add_argument("url")
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--cameras", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(run(given.kind, given.url, given.body.read_bytes(), given.cameras, given.seconds))))


if __name__ == "__main__":
    main()
