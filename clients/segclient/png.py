"""Reads the indexed PNGs that masks are sent as (PNG specification, third edition)."""

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from segclient.errors import BadReply

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED, _GREY = 3, 0
_COLOUR_TYPE_AT = 9


def read_indexed(data: bytes) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Palette indices, uint8 [H,W], and the tEXt chunks by keyword.

    Image decoders replace indices by palette colours, which cannot be undone where two classes share a colour. So the
    same pixels are given to OpenCV as a greyscale PNG, which has no palette.

    Raises:
        BadReply: not an 8-bit indexed PNG, or a damaged file.
    """
    grey, text = [_SIGNATURE], {}
    try:
        for kind, payload in _chunks(data):
            if kind == b"IHDR":
                if payload[8] != 8 or payload[_COLOUR_TYPE_AT] != _INDEXED:
                    raise BadReply("the mask is a PNG, but not an 8-bit indexed one")
                header = bytearray(payload)
                header[_COLOUR_TYPE_AT] = _GREY
                grey.append(_chunk(kind, bytes(header)))
            elif kind == b"tEXt":
                keyword, _, value = payload.partition(b"\0")
                text[keyword.decode("latin-1")] = value.decode("latin-1")
            elif kind in (b"IDAT", b"IEND"):
                grey.append(_chunk(kind, payload))
        mask = cv2.imdecode(np.frombuffer(b"".join(grey), np.uint8), cv2.IMREAD_GRAYSCALE)
    except (struct.error, IndexError, cv2.error) as error:
        raise BadReply(f"the mask's PNG cannot be read: {error}") from None
    if mask is None:
        raise BadReply("the mask's PNG cannot be read: its pixels are damaged")
    return np.asarray(mask, np.uint8), text


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        raise BadReply("the mask is not a PNG")
    at = len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(payload, zlib.crc32(kind)))
