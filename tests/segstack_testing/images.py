"""A photo of four colours, the mask that `fake_serving.threshold` makes of it, and Pillow as encoder and decoder."""

import io
from typing import Any

import numpy as np
from PIL import Image


def _quarters() -> np.ndarray:
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[:48, :64] = (200, 20, 20)
    pixels[:48, 64:] = (20, 200, 20)
    pixels[48:, :64] = (20, 20, 200)
    return pixels


PHOTO = _quarters()
"""uint8 [96,128,3] RGB: a red, a green, a blue and a dark quarter, so that every rotation and flip shows."""

PHOTO_MASK = np.kron(np.array([[1, 2], [3, 0]], np.uint8), np.ones((48, 64), np.uint8))
"""uint8 [96,128]: the class ids of ``PHOTO``."""


def encode(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """An array encoded by Pillow: ``encode(pixels, "JPEG", quality=95)``."""
    return save(Image.fromarray(pixels), kind, **options)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A Pillow image encoded as ``kind``, with the options of ``Image.save``."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def class_ids(png: bytes) -> np.ndarray:
    """uint8 [H,W]: the indices of an indexed PNG."""
    return np.array(Image.open(io.BytesIO(png)))
