"""Pictures in and out of files and arrays. Pure functions; arrays are uint8 [H,W,3], RGB."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segclient.errors import PictureError

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]

# What can be sent: a file, a file's bytes, or pixels.
Image = str | os.PathLike[str] | bytes | Picture

# What the gateway takes, by file name; a name in capitals counts as well.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

# No photograph has more; a disk image called .jpg does, and would be read whole.
_MOST_BYTES = 2**28
# Blocks and colour bleeding that a network would see are gone at 95; a lossless PNG takes ten times as long.
_JPEG_QUALITY = 95


def to_bytes(image: Image) -> bytes:
    """An encoded image: a file's bytes as they are, pixels as JPEG of quality 95.

    Raises:
        PictureError: no such file, one that is empty or too large, an array of another shape or type.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        return encode_jpeg(image)
    path = Path(image)
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise PictureError(f"{path}: {size} bytes are no image to segment; the most is {_MOST_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}; expected a JPEG, PNG or WebP file") from None
    if not data:
        raise PictureError(f"{path}: is empty; expected a JPEG, PNG or WebP file")
    return data


def encode_jpeg(pixels: Picture) -> bytes:
    """JPEG of quality 95 from uint8 [H,W,3], RGB.

    Raises:
        PictureError: another shape or type, or more than JPEG's 65535 pixels a side.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise PictureError(f"an array {pixels.dtype} {list(pixels.shape)}: expected uint8 [height, width, 3], RGB")
    if max(pixels.shape[:2]) > 65535:
        raise PictureError(f"an array {list(pixels.shape)}: JPEG holds at most 65535 pixels a side; scale it down")
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return encoded.tobytes()


def stretch(mask: Mask, height: int, width: int) -> Mask:
    """Nearest neighbour with half-pixel centres: no new ids, no shift against the picture."""
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def colorize(mask: Mask, colors: NDArray[np.uint8]) -> Picture:
    """uint8 [H,W,3] from a table uint8 [256,3] by pixel value."""
    return np.asarray(cv2.applyColorMap(mask, np.ascontiguousarray(colors[:, None])), np.uint8)


def overlay(
    picture: Picture, mask: Mask, colors: NDArray[np.uint8], painted: NDArray[np.uint8], alpha: float
) -> Picture:
    """Colours over the picture where ``painted``, uint8 [256] by pixel value, is not 0; the mask is stretched to it."""
    mask = stretch(mask, *picture.shape[:2])
    blended = cv2.addWeighted(picture, 1 - alpha, colorize(mask, colors), alpha, 0)
    return np.asarray(cv2.copyTo(blended, cv2.LUT(mask, painted), picture.copy()), np.uint8)
