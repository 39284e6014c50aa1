"""How a mask is drawn and encoded."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from contract import ClassInfo
from trainer.datasets.drawing import colorize, contours, overlay
from trainer.errors import UserError
from trainer.prediction.render_style import RenderStyle, encode

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "apple", (200, 0, 100)))
MASK = np.kron([[0, 1], [1, 0]], np.ones((20, 30), np.uint8)).astype(np.uint8)
IMAGE = np.full((40, 60, 3), (10, 120, 240), np.uint8)


def test_each_form_draws_the_mask():
    np.testing.assert_array_equal(
        RenderStyle("overlay", 0.3).draw(IMAGE, MASK, CLASSES), overlay(IMAGE, MASK, CLASSES, 0.3)
    )
    np.testing.assert_array_equal(RenderStyle("contours").draw(IMAGE, MASK, CLASSES), contours(IMAGE, MASK, CLASSES))
    np.testing.assert_array_equal(RenderStyle("color").draw(IMAGE, MASK, CLASSES), colorize(MASK, CLASSES))
    np.testing.assert_array_equal(RenderStyle("mask").draw(IMAGE, MASK, CLASSES), MASK)


def test_mask_is_an_indexed_png_with_the_classes_colours():
    png = Image.open(io.BytesIO(encode(MASK, ".png", CLASSES)))
    assert png.mode == "P"
    np.testing.assert_array_equal(np.asarray(png), MASK)
    np.testing.assert_array_equal(np.asarray(png.convert("RGB")), colorize(MASK, CLASSES))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_encoded_images_keep_their_colours(suffix):
    decoded = cv2.imdecode(np.frombuffer(encode(IMAGE, suffix, CLASSES), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(decoded.astype(int) - IMAGE).max() <= 6


def test_opacity_above_1_is_a_user_error():
    with pytest.raises(UserError, match=r"--alpha 50: expected 0 \(the image alone\) to 1"):
        RenderStyle(alpha=50)
