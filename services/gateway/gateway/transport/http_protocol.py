"""uvicorn's HTTP protocol with timeouts and limits.

uvicorn waits without limit for a request's headers, however long they are, and for a client that does not read its
reply. A few hundred such connections, which cost an attacker nothing, would occupy the gateway (slowloris). The body
has its timeout where it is read, in :mod:`gateway.request.uploads`.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import RETRY_AFTER_S
from gateway.metrics import Metrics
from gateway.request.deps import AppState
from gateway.settings import Settings

# Ten times what browsers send with all their cookies, and too little to matter in memory.
_MAX_HEADER_BYTES = 64 * 1024


class TimeoutHttpProtocol(HttpToolsProtocol):
    """One connection. It is closed after

    - ``header_timeout_ms`` in which a request has begun, or could have, and its headers are incomplete,
    - headers of more than 64 KiB,
    - ``body_timeout_ms`` in which the rest of a body has not arrived, after the reply was sent early,
    - ``reply_timeout_ms`` in which the client has not read what it was sent.

    Beyond ``max_connections`` a connection is answered 503 and closed.
    """

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._metrics: Metrics = AppState.of(self.app_state).metrics
        self._header_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._is_in_body = False
        self._rest_timer: asyncio.TimerHandle | None = None
        self._reply_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers, or refuse if too many connections are open."""
        super().connection_made(transport)
        self._metrics.connections.set(len(self.connections))
        if len(self.connections) > self._settings.max_connections:
            self._refuse(503, "overloaded", "too many connections are open; try again in a moment")
        else:
            self._start_header_timeout()

    def data_received(self, data: bytes) -> None:
        """Data while no request is being answered is the next one's headers, or a refused one's body."""
        if self._header_timer is None and not self._is_in_body and self._is_idle():
            self._start_header_timeout()
        if self._header_timer is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        # Checked after parsing: the end of the headers and megabytes of body may arrive in one piece.
        if self._header_timer is not None and self._header_bytes > _MAX_HEADER_BYTES:
            self._refuse(431, "headers_too_large", f"the headers have more than {_MAX_HEADER_BYTES} bytes; send fewer")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with the gateway's JSON error."""
        self._refuse(400, "bad_request", msg)

    def on_message_begin(self) -> None:
        """Headers begin, perhaps of a pipelined request."""
        super().on_message_begin()
        if self._header_timer is None:
            self._start_header_timeout()

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        self._cancel_header_timeout()
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._is_in_body = False
        self._cancel_rest_timeout()
        super().on_message_complete()
        if self._is_idle():
            self._start_header_timeout()

    def handle_websocket_upgrade(self) -> None:
        """From here on the WebSocket protocol has the connection."""
        self._cancel_header_timeout()
        super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        """A connection that closes waits for the client to read the rest, but not without limit."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_reply_timeout()
        elif self._is_in_body and self._is_idle():  # many clients read no reply before they have sent everything
            self._rest_timer = self.loop.call_later(self._settings.body_timeout_ms / 1000, self.transport.close)

    def pause_writing(self) -> None:
        """The client reads more slowly than the gateway sends."""
        super().pause_writing()
        self._start_reply_timeout()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._cancel_reply_timeout()

    def timeout_keep_alive_handler(self) -> None:
        """Close; closing waits for the client to read the rest, so it needs a timeout, too."""
        super().timeout_keep_alive_handler()
        self._start_reply_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel every timeout."""
        self._cancel_header_timeout()
        self._cancel_rest_timeout()
        self._cancel_reply_timeout()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _start_header_timeout(self) -> None:
        self._header_bytes = 0
        self._header_timer = self.loop.call_later(self._settings.header_timeout_ms / 1000, self._on_header_timeout)

    def _cancel_header_timeout(self) -> None:
        if self._header_timer:
            self._header_timer.cancel()
            self._header_timer = None

    def _on_header_timeout(self) -> None:
        self._header_timer = None
        if self._header_bytes == 0:  # a browser's spare connection: a reply without a request would confuse it
            self.transport.close()
            return
        timeout_ms = self._settings.header_timeout_ms
        self._refuse(
            408, "header_timeout", f"the headers had not arrived after {timeout_ms} ms; send them without a pause"
        )

    def _cancel_rest_timeout(self) -> None:
        if self._rest_timer:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _start_reply_timeout(self) -> None:
        if self._reply_timer is None:
            self._reply_timer = self.loop.call_later(self._settings.reply_timeout_ms / 1000, self.transport.abort)

    def _cancel_reply_timeout(self) -> None:
        if self._reply_timer:
            self._reply_timer.cancel()
            self._reply_timer = None

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Reply in place of the application, which has no complete request yet, and close."""
        self._cancel_header_timeout()
        if self.transport.is_closing():
            return
        self._metrics.errors.labels(code).inc()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()  # within another reply this one would be read as a part of it
            return
        body = json.dumps({"error": {"code": code, "message": message, "detail": {}}})
        lines = [f"HTTP/1.1 {status} ", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        if status == 503:
            lines.append(f"Retry-After: {RETRY_AFTER_S}")
        self.transport.write("\r\n".join([*lines, "Connection: close", "", body]).encode())
        self.transport.close()
        self._start_reply_timeout()
