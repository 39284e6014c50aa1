"""The network behind LitServe, as its documentation shows for image models. Runs in the peers' environment."""

import sys
from typing import Any

import cv2
import litserve as ls  # type: ignore[import-not-found]
import numpy as np
import onnxruntime
from fastapi import Request, Response

MODEL, PORT, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class SegmentAPI(ls.LitAPI):
    """A JPEG in the multipart field ``image`` in, a PNG of class ids out."""

    def setup(self, device: str) -> None:
        """One session a worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        self.feed = self.session.get_inputs()[0].name

    def decode_request(self, request: Request) -> Any:
        """The image, uint8 [1, H, W, 3] RGB."""
        data = request["image"].file.read()
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))[None]

    def predict(self, image: Any) -> Any:
        """The mask, uint8 [H, W]."""
        return self.session.run(None, {self.feed: image})[0][0]

    def encode_response(self, mask: Any) -> Response:
        """As a grey PNG."""
        return Response(cv2.imencode(".png", mask)[1].tobytes(), media_type="image/png")


if __name__ == "__main__":
    server = ls.LitServer(SegmentAPI(api_path="/segment"), accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning")
