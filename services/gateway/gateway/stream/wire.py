"""The binary messages of a stream. Little-endian; PROTOCOL.md has the tables."""

import struct
import time
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.errors import BadRequest
from gateway.flow.timings import Stage, Timings

VERSION = 1
FRAME = 1
ReplyKind = Literal[2, 3, 4]
MASK: Final = 2
OVERLAY: Final = 3
ERROR: Final = 4

_FRAME_HEADER = struct.Struct("<BBHId")
_REPLY_HEADER = struct.Struct("<BBHId5I2H")
FRAME_HEADER_BYTES = _FRAME_HEADER.size
_STAGES: tuple[Stage, ...] = ("decode", "queue", "infer", "encode")
_LARGEST_U32 = 2**32 - 1

# The largest width and height that fit into a reply.
LONGEST_SIDE = 2**16 - 1


@dataclass(frozen=True)
class Frame:
    """A binary message as received, and when (``time.perf_counter``)."""

    message: bytes
    received_at: float = field(default_factory=time.perf_counter)

    @property
    def echo(self) -> bytes:
        """Sequence and capture time for the reply; zeros if the message is too short for them."""
        return self.message[4:FRAME_HEADER_BYTES] if len(self.message) >= FRAME_HEADER_BYTES else bytes(12)

    def image(self) -> bytes:
        """The encoded image.

        Raises:
            BadRequest: the message is not a frame of this protocol version.
        """
        if len(self.message) <= FRAME_HEADER_BYTES:
            raise BadRequest(
                f"the message has {len(self.message)} bytes; a frame is a header of {FRAME_HEADER_BYTES} bytes and an "
                "image behind it"
            )
        version, kind, flags, _, _ = _FRAME_HEADER.unpack_from(self.message)
        for name, value, expected in (("version", version, VERSION), ("kind", kind, FRAME), ("flags", flags, 0)):
            if value != expected:
                raise BadRequest(
                    f"the frame's header has {name} {value}; expected {expected}, as PROTOCOL.md describes it"
                )
        return self.message[FRAME_HEADER_BYTES:]


def reply(
    kind: ReplyKind, echo: bytes, timings: Timings, dropped: int, width: int, height: int, payload: bytes
) -> bytes:
    """The reply to the frame with this :attr:`Frame.echo`; ``dropped`` frames since the previous reply."""
    microseconds = [min(int(timings.seconds[stage] * 1e6), _LARGEST_U32) for stage in _STAGES]
    sequence, captured_at = struct.unpack("<Id", echo)
    header = _REPLY_HEADER.pack(
        VERSION, kind, 0, sequence, captured_at, *microseconds, min(dropped, _LARGEST_U32), width, height
    )
    return header + payload
