"""A writer for the one kind of PNG a mask needs: 8-bit indexed colour (PNG specification, third edition).

ISA-L at level 1 compresses a 1920x1080 mask in about 1 ms; zlib takes 5, OpenCV 5 to 13.
"""

import struct
from collections.abc import Mapping

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED_COLOUR = 3


def encode_indexed(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], alpha: NDArray[np.uint8], text: Mapping[str, str]
) -> bytes:
    """A PNG of ``pixels`` as palette indices.

    Args:
        pixels: uint8 [H,W], each an index into ``palette``.
        palette: uint8 [N,3], RGB, N up to 256 (PLTE).
        alpha: uint8 [N], 255 opaque (tRNS).
        text: keyword to text, both ASCII (tEXt).
    """
    height, width = pixels.shape
    # Each row begins with its filter type; 0, none, suits a mask, whose runs already repeat byte by byte.
    rows = np.empty((height, width + 1), np.uint8)
    rows[:, 0] = 0
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, _INDEXED_COLOUR, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"tRNS", alpha.tobytes()),
            *(_chunk(b"tEXt", f"{key}\0{value}".encode("ascii")) for key, value in text.items()),
            _chunk(b"IDAT", isal_zlib.compress(rows, 1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = isal_zlib.crc32(payload, isal_zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)
