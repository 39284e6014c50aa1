"""A model server whose one model takes a given time per image, one image at a time, without using the CPU.

    .venv/bin/python -m benchmarks.tools.slow_model --port 8500 --milliseconds 100

For measuring what happens around a model: other load does not slow it down, and it does not slow down other work.
"""

import argparse
import threading
import time

import numpy as np

from benchmarks.tools.stand_in import StandIn, shape
from contract import ClassInfo, ModelCard
from gateway.serving_client.protocol import serving_pb2 as pb

CARD = ModelCard(
    name="slow",
    architecture="none",
    input_height=480,
    input_width=640,
    classes=tuple(ClassInfo(i, f"class {i}", (60 * i, 255 - 60 * i, 128)) for i in range(4)),
)


class SlowModel:
    """A mask is the red channel in four steps."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at_work = threading.Lock()

    def mask(self, request: pb.PredictRequest) -> pb.Tensor:
        """Returned after the given time."""
        with self._at_work:
            time.sleep(self._seconds)
        red = np.frombuffer(request.inputs["image"].tensor_content, np.uint8)[::3]
        size = shape(1, CARD.input_height, CARD.input_width)
        return pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=size, tensor_content=(red >> 6).tobytes())


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--milliseconds", type=float, required=True)
    given = parser.parse_args()
    server, _ = StandIn(CARD, SlowModel(given.milliseconds / 1000).mask).serve(given.port, threads=16)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
