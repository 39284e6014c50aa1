"""Around every request: an id, a trace, counters, a line in the log, safe headers, and an answer even to a bug."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError, error_response
from gateway.flow import tracing
from gateway.request import logs
from gateway.request.deps import AppState

_log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"

# An id comes back in a header and goes into logs: nothing in it may mean something there.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Asked for every few seconds by machines; a line each would drown the rest.
PROBES = frozenset({"/livez", "/readyz", "/metrics"})

# Kubernetes and health checks ask by whatever address they know, and no page gains by what these say.
_FOR_ANY_HOST = frozenset({"/livez", "/readyz"})

# For whatever has no headers of its own; pages have (gateway.routes.pages).
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_ONE_YEAR_S = 365 * 24 * 3600


def request_id_of(headers: Headers) -> str:
    """The caller's own, where it is one, or a new one."""
    sent_id = headers.get(REQUEST_ID, "")
    return sent_id if _SANE_ID.fullmatch(sent_id) else uuid.uuid4().hex


class RequestMiddleware:
    """Plain ASGI rather than BaseHTTPMiddleware, which copies bodies through a queue."""

    def __init__(self, app: ASGIApp, check_host: Callable[[str], None] | None) -> None:
        self._app = app
        self._check_host = check_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass HTTP requests on; streams have the same in gateway.routes.stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        exchange = _Exchange(scope, receive, send, request_id)
        with tracing.joined(headers) as trace_id, logs.bound(request_id=request_id, trace_id=trace_id):
            try:
                if self._check_host and scope["path"] not in _FOR_ANY_HOST:
                    self._check_host(headers.get("host", ""))
                await self._app(scope, exchange.receive, exchange.send)
            except GatewayError as error:
                await error_response(error, scope)(scope, receive, exchange.send)
            except Exception:
                _log.exception("failed", extra={"method": scope["method"], "path": scope["path"]})
                if exchange.status:
                    raise  # half a reply is out; only closing the connection tells the caller
                fault = GatewayError(f"an error of the gateway's own; its log has it under request id {request_id}")
                await error_response(fault, scope)(scope, receive, exchange.send)
            finally:
                exchange.record()


class _Exchange:
    """One request and its reply, watched as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._started_at = time.perf_counter()
        self._bytes_in = self._bytes_out = 0
        self._answered_by: dict[str, str] = {}
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._dress(MutableHeaders(scope=message))
        self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    def record(self) -> None:
        """Count the request and write its line."""
        state: AppState = self._scope["state"]["gateway"]
        method = self._scope["method"]
        route = getattr(self._scope.get("route"), "path", "other")
        seconds = time.perf_counter() - self._started_at
        state.metrics.requests.labels(method, route, self.status).inc()
        state.metrics.request_seconds.labels(route).observe(seconds)
        # Set by gateway.errors and gateway.access.control.
        code, caller = self._scope["state"].get("error_code"), self._scope["state"].get("caller")
        if code:
            state.metrics.errors.labels(code).inc()
        client = self._scope.get("client")
        line = {
            "method": method,
            "route": route,
            "status": self.status,
            "ms": round(1000 * seconds, 2),
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
            "client": client[0] if client else None,
            "caller": caller,
            "error": code,
            **self._answered_by,
        }
        # An attribute of a log record may not be set anew, hence no "name" or "message" among these.
        level = logging.DEBUG if route in PROBES else logging.INFO
        _log.log(level, "request", extra={name: value for name, value in line.items() if value is not None})

    def _dress(self, headers: MutableHeaders) -> None:
        headers[REQUEST_ID] = self._request_id
        for name, value in _SAFE_HEADERS.items():
            headers.setdefault(name, value)
        # Not for localhost: a browser would hold everything else that is developed there to HTTPS as well.
        if self._scope["scheme"] == "https" and not Headers(scope=self._scope).get("host", "").startswith("localhost"):
            headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}"
        for field, header in (("model", "X-Model-Name"), ("version", "X-Model-Version")):
            if header in headers:
                self._answered_by[field] = headers[header]
