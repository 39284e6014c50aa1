"""The indexed PNG, read by Pillow and OpenCV."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from gateway.imaging.png import encode_indexed

PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
ALPHA = np.full(256, 255, np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (480, 640), (1, 5000)])
def test_pillow_reads_back_ids_palette_and_text(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    alpha = ALPHA.copy()
    alpha[[3, 255]] = 128, 0
    image = Image.open(io.BytesIO(encode_indexed(pixels, PALETTE, alpha, {"key": "value"})))
    image.load()
    assert image.mode == "P"
    assert np.array_equal(np.array(image), pixels)
    assert image.getpalette() == PALETTE.reshape(-1).tolist()
    assert image.info["transparency"] == alpha.tobytes()
    assert image.text == {"key": "value"}


def test_opencv_reads_the_colours():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = encode_indexed(pixels, PALETTE, ALPHA, {})
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), PALETTE[pixels])


def test_non_contiguous_mask_is_written_in_order():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::-1]
    assert np.array_equal(np.array(Image.open(io.BytesIO(encode_indexed(pixels, PALETTE, ALPHA, {})))), pixels)
