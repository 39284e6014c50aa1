"""Binary messages of ``WS /stream``; services/gateway/PROTOCOL.md is the specification."""

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclient.errors import BadReply

_VERSION = 1
_FRAME, _MASK, _ERROR = 1, 2, 4
# version, kind, flags, sequence, capture time.
_FRAME_HEADER = struct.Struct("<BBHId")
# The same, then microseconds of decode, queue, infer, encode; frames dropped; width, height.
_REPLY_HEADER = struct.Struct("<BBHIdIIIIIHH")


@dataclass(frozen=True, eq=False)
class FrameReply:
    """The reply to one frame.

    Attributes:
        captured_s: the capture time sent with the frame.
        stages_us: decode, queue, infer, encode in microseconds.
        dropped: frames dropped since the previous reply.
        mask: uint8 [H,W]; None on an error.
        error: the gateway's JSON error, or None.
    """

    sequence: int
    captured_s: float
    stages_us: tuple[int, int, int, int]
    dropped: int
    mask: NDArray[np.uint8] | None
    error: dict[str, Any] | None


def pack_frame(sequence: int, captured_s: float, image: bytes) -> bytes:
    """The message with one frame: JPEG, PNG or WebP, with its sequence number and capture time."""
    return _FRAME_HEADER.pack(_VERSION, _FRAME, 0, sequence, captured_s) + image


def unpack_reply(message: bytes) -> FrameReply:
    """Parse a binary message from the gateway.

    Raises:
        BadReply: unknown version or kind, or a payload that does not match its header.
    """
    if len(message) < _REPLY_HEADER.size:
        raise BadReply(f"a stream's reply has {len(message)} bytes; expected at least {_REPLY_HEADER.size}")
    version, kind, _, sequence, captured_s, *stages, dropped, width, height = _REPLY_HEADER.unpack_from(message)
    if version != _VERSION or kind not in (_MASK, _ERROR):
        raise BadReply(
            f"a stream's reply is of version {version}, kind {kind}; expected {_VERSION}, kind {_MASK} or {_ERROR}"
        )
    payload = memoryview(message)[_REPLY_HEADER.size :]
    mask = _inflate(payload, height, width) if kind == _MASK else None
    error = None
    if kind == _ERROR:
        try:
            error = dict(json.loads(bytes(payload))["error"])
        except (KeyError, TypeError, ValueError):
            raise BadReply("a stream's error is not the gateway's JSON") from None
    decode, queue, infer, encode = stages
    return FrameReply(sequence, captured_s, (decode, queue, infer, encode), dropped, mask, error)


def _inflate(payload: memoryview, height: int, width: int) -> NDArray[np.uint8]:
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(payload, height * width + 1)  # never more than the header announces
    except zlib.error as error:
        raise BadReply(f"a stream's mask cannot be inflated: {error}") from None
    if len(pixels) != height * width or not inflater.eof:
        raise BadReply(f"a stream's mask does not have the {height}x{width} pixels of its header")
    return np.frombuffer(pixels, np.uint8).reshape(height, width)
