"""A third-party SavedModel, with the original project's interface: float32 `input_1` in, logits `output` out."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.gateway

CLASSES = ["background", "red", "green", "blue"]


def test_third_party_float_model_gives_masks(colour_road) -> None:
    expected = np.kron([[1, 2], [3, 0]], np.ones((48, 64), np.uint8))
    colours = np.array([[20, 20, 20], [230, 20, 20], [20, 230, 20], [20, 20, 230]], np.uint8)
    photo = cv2.imencode(".jpg", colours[expected][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    reply = colour_road.segment(photo)
    assert (reply.status_code, reply.headers["x-model-version"]) == (200, "1"), reply.text
    mask = np.asarray(Image.open(BytesIO(reply.content)))
    assert (mask == expected).mean() > 0.99
    assert [c["name"] for c in colour_road.http.get("/models/colours").json()["classes"]] == CLASSES

    unsure = colour_road.segment(photo, min_confidence="0.99")  # softmax of logits within -1 to 1 is never that sure
    assert set(np.unique(np.asarray(Image.open(BytesIO(unsure.content))))) == {255}
