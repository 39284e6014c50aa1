"""uvicorn's WebSocket protocol with timeouts, and with limits to the memory that one connection can occupy.

uvicorn waits without limit for a client that does not read, also while closing, keeps any number of fragments of a
message, answers every ping whether or not the answers are read, never answers a handshake that the WebSocket library
cannot parse, and accepts as much from an unauthenticated client as from any.
"""

import asyncio
import logging
import socket
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from gateway.access.control import KEY_NEEDED
from gateway.metrics import Metrics
from gateway.request.context import RequestContext
from gateway.request.deps import AppState
from gateway.settings import Settings
from gateway.stream.messages import MAX_TEXT_BYTES

# uvicorn's lines, one when a stream opens and several of its parser, would duplicate the gateway's.
_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)

# Browsers send fragments of 64 KiB or more. Thousands of empty ones would cost an attacker next to nothing.
_MAX_FRAGMENTS = 1024

# Time for a client to read why its stream is closed. What it still sends is discarded: closing earlier would reset the
# connection, and the reason would be lost. After _QUIET_S without a byte, nothing more is on its way.
_REASON_S = 5.0
_QUIET_S = 0.5

# The kernel's buffer of unsent data. By default it grows to 4 MiB, which over a slow downlink is half a minute of
# replies that are stale before they are sent; with less, the slot drops frames in time for newer ones.
_UNSENT_BYTES = 128 * 1024


class TimeoutWebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection. After ``reply_timeout_ms`` in which the client has not read what it was sent, it is closed with
    that reason; closing takes no longer than that either, whichever side began it."""

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.logger = self.conn.logger = _log
        self._reply_timeout_s = settings.reply_timeout_ms / 1000
        self._metrics: Metrics = AppState.of(self.app_state).metrics
        self._reply_timer: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._fragments = 0
        self._unauthorized_bytes = 0
        self._is_refused = False
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Limit what the kernel buffers."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Data after the close is discarded; before a key, and while closing, little is accepted."""
        if self._is_refused:
            self._close_when_quiet()
            return
        if not self._accepts_frames():
            # The earlier data alone: a key and large frames may arrive in one piece.
            if self._unauthorized_bytes > MAX_TEXT_BYTES:
                self._refuse(1008, KEY_NEEDED)
                return
            self._unauthorized_bytes += len(data)
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            self._abort_after(_REASON_S)

    async def send(self, message: Any) -> None:
        """Mark a refused handshake as answered, or uvicorn would log an error of the application."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def pause_writing(self) -> None:
        """The client reads more slowly than the gateway sends."""
        super().pause_writing()
        if self._reply_timer is None:
            self._reply_timer = self.loop.call_later(self._reply_timeout_s, self._on_reply_timeout)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._cancel_reply_timeout()

    def handle_ping(self) -> None:
        """Answer, unless earlier answers are unread (RFC 6455, 5.5.3, allows one answer to several pings)."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_text(self, event: Frame) -> None:
        """A message begins."""
        self._fragments = 0
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """A message begins."""
        self._fragments = 0
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """A message continues."""
        self._fragments += 1
        if self._fragments <= _MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self._is_refused:
            self._refuse(1009, f"a message has more than {_MAX_FRAGMENTS} fragments; send fewer")

    def send_receive_event_to_app(self) -> None:
        """A message is complete. A long text is not decoded: in memory it can become four times as long."""
        if self.curr_msg_data_type == "bytes" or sum(map(len, self.frames)) <= MAX_TEXT_BYTES:
            super().send_receive_event_to_app()
        elif not self._is_refused:
            self._refuse(1009, f"a text message has more than {MAX_TEXT_BYTES} bytes")

    def handle_parser_exception(self) -> None:
        """Send the reason, and discard what is still on its way."""
        self.close_sent = self._is_refused = True
        self._stop_sending()
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._close_when_quiet()
        self._abort_after(_REASON_S)

    def keepalive_timeout(self) -> None:
        """The client is gone; stop its work without waiting for the network to notice."""
        super().keepalive_timeout()
        if self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011, "reason": "no answer to pings"})
            self._stop_sending()
            self._abort_after(_REASON_S)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Nothing more will be sent; give the client a limited time to read the rest."""
        super().on_task_complete(task)
        self._abort_after(self.close_timeout + self._reply_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel every timeout."""
        self._is_lost = True
        self._cancel_reply_timeout()
        if self._end:
            self._end.cancel()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def _accepts_frames(self) -> bool:
        """Whether the client may send frames: it is authorized, and no close has been sent."""
        if self.conn.state is State.CONNECTING:
            return True  # the data is the handshake
        context = RequestContext.find(cast(Scope, self.scope))
        return not self.close_sent and (context is None or context.client.is_authorized)

    def _refuse(self, code: int, reason: str) -> None:
        """Close, unless that has been done, and free the fragments of the message."""
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _on_reply_timeout(self) -> None:
        self._reply_timer = None
        if not self.close_sent:
            reason = f"what was sent has not been read for {1000 * self._reply_timeout_s:.0f} ms"
            self.conn.fail(1008, reason)
            self.handle_parser_exception()
        self._stop_sending()

    def _stop_sending(self) -> None:
        """Wake tasks that wait to send; sending raises from now on, as for a disconnected client."""
        self.disconnected = True
        self.writable.set()

    def _close_when_quiet(self) -> None:
        if self.close_timer:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(_QUIET_S, self.transport.close)

    def _abort_after(self, seconds: float) -> None:
        if self._end is None and not self._is_lost:
            self._end = self.loop.call_later(seconds, self.transport.abort)

    def _cancel_reply_timeout(self) -> None:
        if self._reply_timer:
            self._reply_timer.cancel()
            self._reply_timer = None
