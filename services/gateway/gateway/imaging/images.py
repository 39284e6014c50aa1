"""Photos: bytes to pixels and back. Pure functions; arrays are uint8 [H,W,3], RGB in, BGR only where it says so."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.errors import ImageTooLarge, UndecodableImage
from gateway.imaging.exif import upright
from gateway.imaging.headers import ImageHeader, check_complete, critical_chunks, read_header

Image = NDArray[np.uint8]

# What each format's encoder takes, in pixels: libpng's own limit, libjpeg's, and 14 bits.
LONGEST_SIDE = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}


def configure_opencv() -> None:
    """Decode each image in one thread, and keep quiet about broken files. For the whole process; called once.

    :class:`gateway.flow.codecs.CodecPool` spreads images over the cores, and callers get an error instead of a line on
    standard error.
    """
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes, header: ImageHeader) -> Image:
    """Decode a JPEG, PNG or WebP to uint8 [H,W,3] RGB, turned as its EXIF orientation says.

    What is not 8-bit RGB becomes it: of 16 bits the upper 8 count; grey fills all three channels; a palette and CMYK
    are looked up and converted (without the colour profile); alpha is dropped, so a transparent pixel has the colour
    stored beneath. Of an animated PNG or WebP the first picture stored counts.

    Args:
        data: the file.
        header: what :func:`check_size` has returned for it, so that no file is decoded that is too large.

    Raises:
        UndecodableImage: cut off or corrupt.
    """
    check_complete(data, header.format)
    coded = critical_chunks(data) if header.format == "png" else data
    try:
        image = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # its own pixel limit, or a header it finds absurd
        image = None
    if image is None:
        raise UndecodableImage(f"the {header.format.upper()} is damaged and does not decode; send another copy")
    if image.shape[:2] != (header.height, header.width):
        raise UndecodableImage(
            f"the {header.format.upper()} header says {header.width}x{header.height} pixels, but "
            f"{image.shape[1]}x{image.shape[0]} are in it; send another copy"
        )
    return upright(np.asarray(image, np.uint8), data, header.format)


def check_size(data: bytes, max_pixels: int) -> ImageHeader:
    """The header of an image that may be decoded.

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
    """Stretch to [height,width]: bilinear, half-pixel centres, no antialias, as the model was trained."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def encode_png(bgr: Image) -> bytes:
    """A PNG of uint8 [H,W,3] BGR (OpenCV's order)."""
    return _encode(".png", bgr, [])


def encode_jpeg(bgr: Image) -> bytes:
    """A JPEG of uint8 [H,W,3] BGR, quality 85: the eye sees no difference and it is a third of 95's size."""
    return _encode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])


def encode_webp(bgr: Image, *, lossless: bool) -> bytes:
    """A WebP of uint8 [H,W,3] BGR: every colour kept, or quality 80, which is smaller than a JPEG of 85."""
    return _encode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, 101 if lossless else 80])


def _encode(extension: str, bgr: Image, options: list[int]) -> bytes:
    done, encoded = cv2.imencode(extension, bgr, options)
    assert done, f"OpenCV could not write {extension}"
    return encoded.tobytes()
