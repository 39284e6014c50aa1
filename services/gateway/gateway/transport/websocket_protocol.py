"""uvicorn's WebSocket protocol with an end to its patience, and to what one connection can make it hold.

uvicorn waits without limit for a client that does not read, also when it wants to close, keeps as many fragments of a
message as come, answers every ping whether or not the answers are read, forgets a handshake that the WebSocket
library refuses to parse, and lets whoever has not shown a key send as much as anybody.
"""

import asyncio
import logging
import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from gateway.access.control import KEY_NEEDED, Visitor
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.stream.control import MAX_TEXT_BYTES

# uvicorn's own lines, one when a stream opens and several of its parser's, would double the gateway's.
_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)

# Browsers cut a message into pieces of 64 KiB or more. Thousands of empty ones cost their sender next to nothing.
_MAX_FRAGMENTS = 1024

# For a client to see why it was given up. What it is still sending meanwhile is thrown away: closing before would reset
# the connection, reason and all. After so long without a byte more nothing is on its way.
_LAST_WORD_S = 5.0
_QUIET_S = 0.5

# What the kernel keeps unsent. Left alone it takes up to 4 MiB, which over a slow downlink is half a minute of replies,
# each of them old before it is sent; in time the slot chooses newer frames instead.
_UNSENT_BYTES = 128 * 1024


class ImpatientWebSocket(WebSocketsSansIOProtocol):
    """One connection. After ``reply_timeout_ms`` in which the client has not read what it was sent it is told so, if it
    ever looks, and closed; closing, whoever began it, takes no longer than that either."""

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.logger = self.conn.logger = _log
        self._patience_s = settings.reply_timeout_ms / 1000
        self._metrics: Metrics = self.app_state["gateway"].metrics
        self._unread: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._fragments = 0
        self._unasked_bytes = 0
        self._is_given_up = False
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have no more wait to be sent than is of use."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """After the last word nothing that comes is looked at; before a key, and while closing, little more."""
        if self._is_given_up:
            self._close_when_quiet()
            return
        if not self._takes_frames():
            # Of what came before: a key and large frames may come in one piece.
            if self._unasked_bytes > MAX_TEXT_BYTES:
                self._refuse(1008, KEY_NEEDED)
                return
            self._unasked_bytes += len(data)
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            self._give_up_after(_LAST_WORD_S)

    async def send(self, message: Any) -> None:
        """A handshake that was refused has been answered; uvicorn would log it as a fault of the application's."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._patience_s, self._not_read)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._stop_expecting_reading()

    def handle_ping(self) -> None:
        """Answer, unless earlier answers have not been read (RFC 6455, 5.5.3, lets one stand for several)."""
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
        """A message goes on."""
        self._fragments += 1
        if self._fragments <= _MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self._is_given_up:
            self._refuse(1009, f"a message has more than {_MAX_FRAGMENTS} fragments; send fewer")

    def send_receive_event_to_app(self) -> None:
        """A message is there. A long text is not decoded: in memory it can become four times as long."""
        if self.curr_msg_data_type == "bytes" or sum(map(len, self.frames)) <= MAX_TEXT_BYTES:
            super().send_receive_event_to_app()
        elif not self._is_given_up:
            self._refuse(1009, f"a text message has more than {MAX_TEXT_BYTES} bytes")

    def handle_parser_exception(self) -> None:
        """Say why, and let what is on its way pass."""
        self.close_sent = self._is_given_up = True
        self._stop_sending()
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._close_when_quiet()
        self._give_up_after(_LAST_WORD_S)

    def keepalive_timeout(self) -> None:
        """Nobody is there any more; what works for them should not wait until the network knows it, too."""
        super().keepalive_timeout()
        if self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011, "reason": "no answer to pings"})
            self._stop_sending()
            self._give_up_after(_LAST_WORD_S)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Nothing more will be said; what has been is read soon or never."""
        super().on_task_complete(task)
        self._give_up_after(self.close_timeout + self._patience_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._is_lost = True
        self._stop_expecting_reading()
        if self._end:
            self._end.cancel()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def _takes_frames(self) -> bool:
        """Whether the client may send them: it has a key, or needs none, and no close has been sent."""
        if self.conn.state is State.CONNECTING:
            return True  # what comes is the handshake
        visitor: Visitor | None = self.scope["state"].get("visitor")
        return not self.close_sent and (visitor is None or visitor.is_known)

    def _refuse(self, code: int, reason: str) -> None:
        """Close, unless that has been done, and let go of what is there of a message."""
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _not_read(self) -> None:
        self._unread = None
        if not self.close_sent:
            reason = f"what was sent has not been read for {1000 * self._patience_s:.0f} ms"
            self.conn.fail(1008, reason)
            self.handle_parser_exception()
        self._stop_sending()

    def _stop_sending(self) -> None:
        """Whoever waits to send need not wait any longer, and whoever sends is told that nobody is there."""
        self.disconnected = True
        self.writable.set()

    def _close_when_quiet(self) -> None:
        if self.close_timer:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(_QUIET_S, self.transport.close)

    def _give_up_after(self, seconds: float) -> None:
        if self._end is None and not self._is_lost:
            self._end = self.loop.call_later(seconds, self.transport.abort)

    def _stop_expecting_reading(self) -> None:
        if self._unread:
            self._unread.cancel()
            self._unread = None
