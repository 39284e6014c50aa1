"""Images: bytes to pixels and back. Pure functions; arrays are uint8 [H,W,3], RGB unless BGR is named."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.errors import ImageTooLarge, UndecodableImage
from gateway.imaging.exif import upright
from gateway.imaging.headers import ImageHeader, check_complete, critical_chunks, read_header

Image = NDArray[np.uint8]

# The longest side that each format can have, in pixels: libpng's limit, libjpeg's, and 14 bits.
LONGEST_SIDE = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}


def configure_opencv() -> None:
    """Decode each image in one thread, and log nothing about broken files; for the whole process.

    :class:`gateway.flow.codecs.CodecPool` spreads images over the cores, and clients get the error instead of standard
    error.
    """
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes, header: ImageHeader) -> Image:
    """Decode a JPEG, PNG or WebP to uint8 [H,W,3] RGB, rotated by its EXIF orientation.

    Every image becomes 8-bit RGB: of 16 bits the upper 8 are kept; grey fills all three channels; palette colours are
    looked up; CMYK is converted without the colour profile; alpha is dropped, so a transparent pixel has the colour
    stored in it. Of an animated PNG or WebP the first frame is taken.

    Args:
        data: the file.
        header: returned by :func:`check_size` for this file, so that none is decoded that is too large.

    Raises:
        UndecodableImage: truncated or corrupt.
    """
    check_complete(data, header.format)
    coded = critical_chunks(data) if header.format == "png" else data
    try:
        image = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # OpenCV's own pixel limit, or a header that it rejects
        image = None
    if image is None:
        raise UndecodableImage(f"the {header.format.upper()} is damaged and does not decode; send another copy")
    if image.shape[:2] != (header.height, header.width):
        raise UndecodableImage(
            f"the {header.format.upper()} header gives a size of {header.width}x{header.height} pixels, but the image "
            f"has {image.shape[1]}x{image.shape[0]}; send another copy"
        )
    return upright(np.asarray(image, np.uint8), data, header.format)


def check_size(data: bytes, max_pixels: int) -> ImageHeader:
    """The header of an image, once its size is known to be allowed.

    Raises:
        UnsupportedImage: neither JPEG, PNG nor WebP.
        UndecodableImage: no usable size.
        ImageTooLarge: more than ``max_pixels``.
    """
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise ImageTooLarge(
            f"the image is {header.width}x{header.height} = {header.width * header.height} pixels; "
            f"at most {max_pixels} are accepted, so scale it down",
            width=header.width,
            height=header.height,
            max_pixels=max_pixels,
        )
    return header


def resize(image: Image, height: int, width: int) -> Image:
    """Stretch to [height,width]: bilinear, half-pixel centres, no antialiasing, as in training."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def encode_png(bgr: Image) -> bytes:
    """A PNG of uint8 [H,W,3] BGR (OpenCV's order)."""
    return _encode(".png", bgr, [])


def encode_jpeg(bgr: Image) -> bytes:
    """A JPEG of uint8 [H,W,3] BGR, quality 85: a third of the size of 95, without a visible difference."""
    return _encode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])


def encode_webp(bgr: Image, *, lossless: bool) -> bytes:
    """A WebP of uint8 [H,W,3] BGR: lossless, or quality 80, which is smaller than a JPEG of quality 85."""
    return _encode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, 101 if lossless else 80])


def _encode(extension: str, bgr: Image, options: list[int]) -> bytes:
    done, encoded = cv2.imencode(extension, bgr, options)
    assert done, f"OpenCV cannot write {extension}"
    return encoded.tobytes()
