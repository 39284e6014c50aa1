"""One stream from the client's side, without the sockets: what to send, and what replies mean."""

import itertools
import json
import time
from typing import Any

from segclient import images as pictures
from segclient import wire
from segclient.api.connection import Connection
from segclient.api.options import StreamOptions
from segclient.api.results import ClassInfo, StreamResult, Timings
from segclient.errors import BadReply, GatewayError, SegclientError, StreamClosed
from segclient.images import Picture

# Frames sent whose fate is not known. While the uplink keeps up there are two or three; where it does not, more would
# only grow old on their way.
MOST_UNANSWERED = 8
# Bytes that the system may hold back before sending counts as blocked: a frame or two.
UNSENT_BYTES = 128 * 1024


class Exchange:
    """Frames under way by sequence number, and the model that answers. Its methods are called by one reader and one
    sender, which may be two threads.
    """

    def __init__(self, connection: Connection, options: StreamOptions) -> None:
        self._url = connection.stream_url
        self._configure: dict[str, Any] = {"type": "configure", "output": "mask", "size": "model"}
        self._configure |= {name: value for name, value in options.items() if value is not None}
        if connection.api_key:
            self._configure["api_key"] = connection.api_key
        self._sequence = itertools.count()
        self._under_way: dict[int, Picture] = {}
        self._sent = self._settled = 0
        self._served: dict[str, Any] = {}
        self._has_ended = False
        self.is_over = False

    @property
    def is_configured(self) -> bool:
        """The model that answers is known, and frames may be sent."""
        return bool(self._served)

    @property
    def unanswered(self) -> int:
        """Frames sent that were neither answered nor said to be dropped, as far as is known."""
        return self._sent - self._settled

    def configure(self) -> str:
        """The first message."""
        return json.dumps(self._configure)

    def end(self) -> str:
        """The last one."""
        self._has_ended = True
        return json.dumps({"type": "end"})

    def frame(self, picture: Picture) -> bytes:
        """The message with this frame.

        Raises:
            PictureError: it is not uint8 [H,W,3].
        """
        encoded = pictures.encode_jpeg(picture)
        sequence = next(self._sequence)
        self._under_way[sequence] = picture
        self._sent += 1
        return wire.pack_frame(sequence, time.monotonic(), encoded)

    def receive(self, message: str | bytes) -> StreamResult | SegclientError | None:
        """What a message brings: a frame's result, a frame's error, or None for one that only changes what is known.

        Raises:
            GatewayError: what was asked for cannot be had: a key, a model, a class.
            BadReply: it is not understood.
        """
        if isinstance(message, str):
            self._control(message)
            return None
        reply = wire.unpack_reply(message)
        self._settled += 1 + reply.dropped
        frame = self._under_way.pop(reply.sequence, None)
        if reply.error is not None:
            return _gateway_error(reply.error)
        # Replies come in order, so those before it that are still here were dropped.
        for sequence in [sequence for sequence in list(self._under_way) if sequence < reply.sequence]:
            del self._under_way[sequence]
        if frame is None or reply.mask is None or not self._served:
            raise BadReply(f"the stream answered frame {reply.sequence}, which was not asked or is answered already")
        decode, queue, infer, encode = (microseconds / 1000 for microseconds in reply.stages_us)
        return StreamResult(
            mask=pictures.stretch(reply.mask, *frame.shape[:2]),
            **self._served,
            timings=Timings(decode, queue, infer, encode, 1000 * (time.monotonic() - reply.captured_s)),
            frame=frame,
            sequence=reply.sequence,
            dropped=reply.dropped,
        )

    def closed(self, code: int, reason: str) -> StreamClosed:
        """The error for a connection that ended before its summary."""
        said = reason or "without a reason"
        return StreamClosed(f"{self._url} closed the stream ({code}): {said}", code=code)

    def _control(self, text: str) -> None:
        try:
            message = json.loads(text)
            match message["type"]:
                case "configured":
                    self._served = {
                        "model": str(message["model"]),
                        "version": int(message["version"]),
                        "classes": tuple(ClassInfo.of(fields) for fields in message["classes"]),
                        "ignore_id": int(message.get("ignore_id", 255)),
                    }
                case "error":
                    raise _gateway_error(message["error"])
                case "summary":
                    self.is_over = self._has_ended  # unasked, it comes before the gateway's own close
        except (KeyError, TypeError, ValueError):
            raise BadReply(f"the stream said {text[:100]!r}, which is not understood") from None


def _gateway_error(error: dict[str, Any]) -> GatewayError:
    try:
        code = str(error["code"])
        return GatewayError(
            str(error["message"]), status=int(error.get("status", 0)), code=code, detail=dict(error.get("detail", {}))
        )
    except (KeyError, TypeError, ValueError):
        raise BadReply("a stream's error is not JSON as the gateway writes it") from None
