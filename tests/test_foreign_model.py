"""A SavedModel as the original project exported them, served as it is: float32 `input_1` in, logits `output` out."""

import json
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

pytestmark = pytest.mark.gateway

CLASSES = ["dark", "red", "green", "blue"]


class ColourNetwork(tf.Module):
    """Logits: how far each channel is above the middle, and below it for class 0."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
    def serve(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"output": tf.concat([-tf.reduce_max(pixels, -1, keepdims=True), pixels], -1)}


@pytest.fixture
def road(lay_road, tmp_path: Path):
    models_root, cards = tmp_path / "models_repo", tmp_path / "cards"
    network = ColourNetwork()
    tf.saved_model.save(network, models_root / "theirs/1", signatures={"serving_default": network.serve})
    config = 'config { name: "theirs" base_path: "/models/theirs" model_platform: "tensorflow" }'
    (models_root / "models.config").write_text(f"model_config_list {{ {config} }}")
    cards.mkdir()
    card = {"classes": CLASSES, "preprocessing": {"scale": 2 / 255, "mean": [1, 1, 1]}}
    (cards / "theirs.json").write_text(json.dumps({**card, "input_height": 48, "input_width": 64}))
    road = lay_road(models_root)
    road.start_serving()
    road.start_gateway(GATEWAY_CARDS=str(cards))
    road.wait_until_ready()
    return road


def test_it_is_asked_in_floats_and_answers_in_masks(road) -> None:
    expected = np.kron([[1, 2], [3, 0]], np.ones((48, 64), np.uint8))
    colours = np.array([[20, 20, 20], [230, 20, 20], [20, 230, 20], [20, 20, 230]], np.uint8)
    photo = cv2.imencode(".jpg", colours[expected][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    reply = road.segment(photo)
    assert (reply.status_code, reply.headers["x-model-version"]) == (200, "1"), reply.text
    mask = np.asarray(Image.open(BytesIO(reply.content)))
    assert (mask == expected).mean() > 0.99
    assert [c["name"] for c in road.http.get("/models/theirs").json()["classes"]] == CLASSES

    unsure = road.segment(photo, min_confidence="0.99")  # softmax of logits within -1 to 1 is never that sure
    assert set(np.unique(np.asarray(Image.open(BytesIO(unsure.content))))) == {255}
