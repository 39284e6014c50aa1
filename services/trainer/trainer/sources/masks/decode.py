"""Decoding a mask: its exact values, from any kind of PNG."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.errors import UserError

MASK_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff"})  # lossless; JPEG and WebP change values
_PNG_COLOR_TYPE, _PALETTE = 25, 3  # PNG specification, 11.2.1: offset of the colour type; its value for a palette


def decode_mask(data: bytes, name: str, indices: bool = False) -> NDArray[np.uint8]:
    """RGB [H, W, 3], or [H, W] of a single-channel image; of a palette PNG its colours, or its ``indices``.

    Raises:
        UserError: it is not an image, or has more than 8 bits per channel.
    """
    if indices and data[_PNG_COLOR_TYPE : _PNG_COLOR_TYPE + 1] == bytes([_PALETTE]) and data.startswith(b"\x89PNG"):
        return _palette_indices(data, name)
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if mask is None:
        raise UserError(f"{name}: cannot be decoded as a PNG: export it again")
    if mask.dtype != np.uint8:
        raise UserError(f"{name}: has {8 * mask.itemsize} bits per channel: expected 8, with label colours or indices")
    return np.asarray(mask if mask.ndim == 2 else mask[..., 2::-1], np.uint8)


def _palette_indices(data: bytes, name: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(Image.open(io.BytesIO(data)), np.uint8)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise UserError(f"{name}: cannot be decoded as a PNG ({error}): export it again") from None


def require_same_size(ids: NDArray, height: int, width: int, name: str) -> None:
    """Raise UserError unless the mask is [height, width]."""
    if ids.shape[:2] != (height, width):
        raise UserError(
            f"{name}: is {ids.shape[1]}x{ids.shape[0]} but its image is {width}x{height} (width x height, rotated "
            "as its EXIF orientation says): they must be equal; never resize or rotate one without the other"
        )
