"""Images to and from bytes; stretching and drawing masks. Pure functions; arrays are uint8 [H,W,3], RGB."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segclient.errors import ImageError

RgbArray = NDArray[np.uint8]
Mask = NDArray[np.uint8]

# What can be sent: a file, a file's bytes, or pixels.
Image = str | os.PathLike[str] | bytes | RgbArray

# What the gateway takes, by file name in any case.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

# No photograph is larger; a disk image named .jpg would be, and would be read into memory.
_MAX_BYTES = 2**28
# At 95 the artefacts that a network would see are gone; a lossless PNG takes ten times as long.
_JPEG_QUALITY = 95


def to_bytes(image: Image) -> bytes:
    """The encoded image: a file's bytes unchanged, arrays as JPEG of quality 95.

    Raises:
        ImageError: the file is missing, empty or too large, or the array has another shape or type.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        return encode_jpeg(image)
    path = Path(image)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ImageError(f"{path}: {size} bytes is too large for an image; expected at most {_MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}; expected a JPEG, PNG or WebP file") from None
    if not data:
        raise ImageError(f"{path}: is empty; expected a JPEG, PNG or WebP file")
    return data


def encode_jpeg(pixels: RgbArray) -> bytes:
    """JPEG of quality 95 from uint8 [H,W,3], RGB.

    Raises:
        ImageError: another shape or type, or a side longer than JPEG's 65535 pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ImageError(f"an array of {pixels.dtype} {list(pixels.shape)}: expected uint8 [height, width, 3], RGB")
    if max(pixels.shape[:2]) > 65535:
        raise ImageError(f"an array of {list(pixels.shape)}: JPEG allows at most 65535 pixels per side; scale it down")
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return encoded.tobytes()


def stretch(mask: Mask, height: int, width: int) -> Mask:
    """Resize by nearest neighbour with half-pixel centres: no new ids, no shift against the image."""
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def colorize(mask: Mask, colors: NDArray[np.uint8]) -> RgbArray:
    """uint8 [H,W,3]: the colour of each class id, from a table uint8 [256,3]."""
    return np.asarray(cv2.applyColorMap(mask, np.ascontiguousarray(colors[:, None])), np.uint8)


def overlay(
    image: RgbArray, mask: Mask, colors: NDArray[np.uint8], painted: NDArray[np.uint8], alpha: float
) -> RgbArray:
    """The image with class colours where ``painted``, uint8 [256] by class id, is not 0; stretches the mask to it."""
    mask = stretch(mask, *image.shape[:2])
    blended = cv2.addWeighted(image, 1 - alpha, colorize(mask, colors), alpha, 0)
    return np.asarray(cv2.copyTo(blended, cv2.LUT(mask, painted), image.copy()), np.uint8)
