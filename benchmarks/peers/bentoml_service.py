"""The network behind BentoML, as its documentation shows for image models. Runs in the peers' environment."""

import os

import bentoml  # type: ignore[import-not-found]
import numpy as np
import onnxruntime
from PIL import Image


@bentoml.service(workers=1, traffic={"timeout": 60})
class Segment:
    """A JPEG in the multipart field ``image`` in, a PNG of class ids out."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["SEGMENT_THREADS"])
        self.session = onnxruntime.InferenceSession(
            os.environ["SEGMENT_MODEL"], options, providers=["CPUExecutionProvider"]
        )
        self.feed = self.session.get_inputs()[0].name

    @bentoml.api(route="/segment")
    def segment(self, image: Image.Image) -> Image.Image:
        """The mask, a grey image: BentoML writes it as PNG."""
        pixels = np.asarray(image.convert("RGB"))[None]
        return Image.fromarray(self.session.run(None, {self.feed: pixels})[0][0])
