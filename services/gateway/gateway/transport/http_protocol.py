"""uvicorn's HTTP protocol with an end to its patience.

uvicorn waits without limit for a request's headers, for their end however long they are, and for a client that does not
read its reply. A few hundred such connections, kept up at no cost, would leave no room for anyone else (slowloris).
The body has its deadline where it is read, in :mod:`gateway.request.uploads`.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import RETRY_AFTER_S
from gateway.metrics import Metrics
from gateway.settings import Settings

# Ten times what browsers send with a full jar of cookies, and far below what would be felt in memory.
_MAX_HEADER_BYTES = 64 * 1024


class ImpatientProtocol(HttpToolsProtocol):
    """One connection. It is closed after

    - ``header_timeout_ms`` in which a request has begun, or could have, and its headers are not all there,
    - headers of more than 64 KiB,
    - ``body_timeout_ms`` in which the rest of a body that was answered before its end is not there,
    - ``reply_timeout_ms`` in which the client has not read what it was sent.

    Beyond ``max_connections`` a connection is answered 503 and closed.
    """

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._metrics: Metrics = self.app_state["gateway"].metrics
        self._header_deadline: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._is_in_body = False
        self._rest_deadline: asyncio.TimerHandle | None = None
        self._reply_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers, or refuse: too many others are here."""
        super().connection_made(transport)
        self._metrics.connections.set(len(self.connections))
        if len(self.connections) > self._settings.max_connections:
            self._refuse(503, "overloaded", "too many connections are open; try again in a moment")
        else:
            self._await_headers()

    def data_received(self, data: bytes) -> None:
        """What comes while no request is being answered are the next one's headers, or a refused one's body."""
        if self._header_deadline is None and not self._is_in_body and self._is_idle():
            self._await_headers()
        if self._header_deadline is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        # Counted after parsing: the end of the headers and megabytes of body may come in one piece.
        if self._header_deadline is not None and self._header_bytes > _MAX_HEADER_BYTES:
            self._refuse(431, "headers_too_large", f"the headers have more than {_MAX_HEADER_BYTES} bytes; send fewer")

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the gateway's own shape of an error."""
        self._refuse(400, "bad_request", msg)

    def on_message_begin(self) -> None:
        """Headers begin, perhaps of a request sent before the one at work was answered."""
        super().on_message_begin()
        if self._header_deadline is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        """The request can begin."""
        self._stop_awaiting_headers()
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._is_in_body = False
        self._stop_expecting_rest()
        super().on_message_complete()
        if self._is_idle():
            self._await_headers()

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is another protocol's."""
        self._stop_awaiting_headers()
        super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        """Where the connection closes now, it waits for the client to read the rest, and not for ever."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_reading()
        elif self._is_in_body and self._is_idle():  # many clients read no refusal before they have sent everything
            self._rest_deadline = self.loop.call_later(self._settings.body_timeout_ms / 1000, self.transport.close)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._stop_expecting_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close; closing waits for the client to read the rest, and so it has an end, too."""
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._stop_awaiting_headers()
        self._stop_expecting_rest()
        self._stop_expecting_reading()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _await_headers(self) -> None:
        self._header_bytes = 0
        self._header_deadline = self.loop.call_later(self._settings.header_timeout_ms / 1000, self._headers_overdue)

    def _stop_awaiting_headers(self) -> None:
        if self._header_deadline:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _headers_overdue(self) -> None:
        self._header_deadline = None
        if self._header_bytes == 0:  # a browser's spare connection: an answer to no question would confuse it
            self.transport.close()
            return
        timeout_ms = self._settings.header_timeout_ms
        self._refuse(408, "header_timeout", f"the headers had not arrived after {timeout_ms} ms; send them at once")

    def _stop_expecting_rest(self) -> None:
        if self._rest_deadline:
            self._rest_deadline.cancel()
            self._rest_deadline = None

    def _expect_reading(self) -> None:
        if self._reply_deadline is None:
            self._reply_deadline = self.loop.call_later(self._settings.reply_timeout_ms / 1000, self.transport.abort)

    def _stop_expecting_reading(self) -> None:
        if self._reply_deadline:
            self._reply_deadline.cancel()
            self._reply_deadline = None

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer before there is a request that the application could answer, and close."""
        self._stop_awaiting_headers()
        if self.transport.is_closing():
            return
        self._metrics.errors.labels(code).inc()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()  # in the middle of another reply it would be taken for a part of that
            return
        body = json.dumps({"error": {"code": code, "message": message, "detail": {}}})
        lines = [f"HTTP/1.1 {status} ", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        if status == 503:
            lines.append(f"Retry-After: {RETRY_AFTER_S}")
        self.transport.write("\r\n".join([*lines, "Connection: close", "", body]).encode())
        self.transport.close()
        self._expect_reading()
