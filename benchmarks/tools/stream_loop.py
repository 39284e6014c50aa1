"""A camera's stream as it is usually written: receive a frame, process it, send the reply, receive the next.

    .venv/bin/python -m benchmarks.tools.stream_loop --port 8001 --serving 127.0.0.1:8500

It uses the gateway's decoding, calls and encoding in the order that fastrtc and most tutorials use, so that
benchmarks.stream compares nothing but the order.
"""

import argparse
import asyncio
import struct

from websockets.asyncio.server import ServerConnection, serve

from benchmarks.tools.slow_model import CARD
from contract import ModelCard
from gateway.api.parameters import SegmentParameters
from gateway.api.targets import Target
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.imaging import images
from gateway.imaging.images import Image
from gateway.results import outputs
from gateway.serving_client.client import ServingClient


async def run(port: int, address: str) -> None:
    """Serve forever."""
    codecs = CodecPool(2)
    parameters = SegmentParameters(size="model")
    async with ServingClient([address], codecs) as serving:

        async def answer(connection: ServerConnection) -> None:
            async for message in connection:
                assert isinstance(message, bytes)
                image_header = await codecs.run(images.check_size, message[16:], 50_000_000)
                photo = await codecs.run(images.decode, message[16:], image_header)

                def prepare(card: ModelCard, photo: Image = photo) -> Image:
                    return images.resize(photo, card.input_height, card.input_width)

                prediction = await serving.segment(Target(CARD.name), prepare, Deadline(60_000))
                encoded = await codecs.run(outputs.encode_frame, photo, prediction, parameters)
                header = struct.pack("<BBH", 1, 2, 0) + message[4:16] + bytes(20)
                await connection.send(header + struct.pack("<HH", encoded.width, encoded.height) + encoded.body)

        async with serve(answer, "127.0.0.1", port, compression=None, max_size=None) as server:
            await server.serve_forever()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--serving", required=True)
    given = parser.parse_args()
    asyncio.run(run(given.port, given.serving))


if __name__ == "__main__":
    main()
