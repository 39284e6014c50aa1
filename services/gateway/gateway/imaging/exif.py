"""Orientation of an image by its EXIF data (EXIF 3.0, section 4.6.5.1.6; TIFF 6.0, section 2).

Read here, in the same way for all formats, and not by the decoder: OpenCV does not rotate animations.
"""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.imaging.headers import ImageFormat, exif_block

_ORIENTATION, _SHORT = 0x0112, 3
_AS_STORED = 1
# How to turn a stored image upright: transpose it or not, then flip it about the axes of this OpenCV code.
_BOTH, _ROWS, _COLUMNS = -1, 0, 1
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, _COLUMNS),
    3: (False, _BOTH),
    4: (False, _ROWS),
    5: (True, None),
    6: (True, _COLUMNS),
    7: (True, _BOTH),
    8: (True, _ROWS),
}


def upright(image: NDArray[np.uint8], data: bytes, kind: ImageFormat) -> NDArray[np.uint8]:
    """``image``, uint8 [H,W,3], as a viewer shows the file ``data`` from which it was decoded."""
    transposed, flip = _TURNS.get(orientation(exif_block(data, kind)), (False, None))
    if transposed:
        image = np.asarray(cv2.transpose(image), np.uint8)
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)


def orientation(block: bytes) -> int:
    """1 to 8 from a TIFF structure; 1, as stored, if it has no valid orientation."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return _AS_STORED
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", block, entry)
            if tag == _ORIENTATION:
                return value if (kind, values) == (_SHORT, 1) and 1 <= value <= 8 else _AS_STORED
    except struct.error:  # cut off
        pass
    return _AS_STORED
