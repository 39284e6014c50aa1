"""The client's side of one stream without I/O: what to send, and what the replies mean."""

import itertools
import json
import time
from typing import Any

from segclient import images, wire
from segclient.api.connection import Connection
from segclient.api.parameters import StreamParameters
from segclient.api.results import ClassInfo, StreamResult, Timings
from segclient.errors import BadReply, GatewayError, SegclientError, StreamClosed
from segclient.images import RgbArray

# Frames sent without a reply. Two or three while the uplink keeps up; if it does not, more would only arrive old.
MAX_UNANSWERED = 8
# Bytes that the kernel may buffer before sending blocks: a frame or two.
MAX_UNSENT_BYTES = 128 * 1024


class StreamSession:
    """The frames in flight by sequence number, and the model that answers.

    One reader and one sender call its methods, possibly from two threads.
    """

    def __init__(self, connection: Connection, parameters: StreamParameters) -> None:
        self._url = connection.stream_url
        self._configure: dict[str, Any] = {"type": "configure", "form": "mask", "size": "model"}
        self._configure |= {name: value for name, value in parameters.items() if value is not None}
        if connection.api_key:
            self._configure["api_key"] = connection.api_key
        self._sequence = itertools.count()
        self._in_flight: dict[int, RgbArray] = {}
        self._sent = self._resolved = 0
        self._model: dict[str, Any] = {}
        self._has_ended = False
        self.is_finished = False

    @property
    def is_configured(self) -> bool:
        """Whether the gateway has accepted the configuration, so that frames may be sent."""
        return bool(self._model)

    @property
    def unanswered(self) -> int:
        """Frames sent that were neither answered nor reported as dropped."""
        return self._sent - self._resolved

    def configure(self) -> str:
        """The first message to send."""
        return json.dumps(self._configure)

    def end(self) -> str:
        """The last message to send."""
        self._has_ended = True
        return json.dumps({"type": "end"})

    def frame(self, frame: RgbArray) -> bytes:
        """The message for a frame.

        Raises:
            ImageError: it is not uint8 [H,W,3].
        """
        encoded = images.encode_jpeg(frame)
        sequence = next(self._sequence)
        self._in_flight[sequence] = frame
        self._sent += 1
        return wire.pack_frame(sequence, time.monotonic(), encoded)

    def receive(self, message: str | bytes) -> StreamResult | SegclientError | None:
        """Process a message: returns a frame's result, a frame's error, or None for a control message.

        Raises:
            GatewayError: the gateway refuses the stream: its key, model or classes.
            BadReply: the message cannot be parsed.
        """
        if isinstance(message, str):
            self._control(message)
            return None
        reply = wire.unpack_reply(message)
        self._resolved += 1 + reply.dropped
        frame = self._in_flight.pop(reply.sequence, None)
        if reply.error is not None:
            return _gateway_error(reply.error)
        # Replies come in order: earlier frames still without one were dropped.
        for sequence in [sequence for sequence in list(self._in_flight) if sequence < reply.sequence]:
            del self._in_flight[sequence]
        if frame is None or reply.mask is None or not self._model:
            raise BadReply(f"the stream answered frame {reply.sequence}, which was not sent or is already answered")
        decode, queue, infer, encode = (microseconds / 1000 for microseconds in reply.stages_us)
        return StreamResult(
            mask=images.stretch(reply.mask, *frame.shape[:2]),
            **self._model,
            timings=Timings(decode, queue, infer, encode, 1000 * (time.monotonic() - reply.captured_s)),
            frame=frame,
            sequence=reply.sequence,
            dropped=reply.dropped,
        )

    def closed(self, code: int, reason: str) -> StreamClosed:
        """The error for a connection that was closed before the summary."""
        return StreamClosed(f"{self._url} closed the stream ({code}): {reason or 'no reason given'}", code=code)

    def _control(self, text: str) -> None:
        try:
            message = json.loads(text)
            match message["type"]:
                case "configured":
                    self._model = {
                        "model": str(message["model"]),
                        "version": int(message["version"]),
                        "classes": tuple(ClassInfo.of(fields) for fields in message["classes"]),
                        "ignore_id": int(message.get("ignore_id", 255)),
                    }
                case "error":
                    raise _gateway_error(message["error"])
                case "summary":
                    self.is_finished = self._has_ended  # otherwise the gateway is about to close
        except (KeyError, TypeError, ValueError):
            raise BadReply(f"the stream sent {text[:100]!r}; expected a control message of PROTOCOL.md") from None


def _gateway_error(error: dict[str, Any]) -> GatewayError:
    try:
        code = str(error["code"])
        return GatewayError(
            str(error["message"]), status=int(error.get("status", 0)), code=code, detail=dict(error.get("detail", {}))
        )
    except (KeyError, TypeError, ValueError):
        raise BadReply("a stream's error is not the gateway's JSON") from None
