"""Around every request and stream: its context, a trace, counters, a line in the log, safe headers, and a reply even to
a bug."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.control import Access, Client
from gateway.errors import GatewayError
from gateway.flow import tracing
from gateway.metrics import Metrics
from gateway.request import logs
from gateway.request.context import REQUEST_ID, SESSION_ID, RequestContext
from gateway.request.deps import AppState
from gateway.request.error_replies import error_response

_log = logging.getLogger(__name__)

# An id is returned in a header and written to logs: no character in it may have a meaning there.
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Requested every few seconds by machines: their lines would drown the rest of the log.
PROBES = frozenset({"/livez", "/readyz", "/metrics"})

# Kubernetes and health checks use any address, and a page learns nothing from these replies.
_FOR_ANY_HOST = frozenset({"/livez", "/readyz"})

# For replies that do not set one, as pages do (gateway.routes.pages).
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_ONE_YEAR_S = 365 * 24 * 3600


class RequestMiddleware:
    """Plain ASGI rather than BaseHTTPMiddleware, which copies bodies through a queue."""

    def __init__(self, app: ASGIApp, access: Access, check_host: Callable[[str], None] | None) -> None:
        self._app = app
        self._access = access
        self._check_host = check_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request or a stream, with its context stored in ``scope``."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent_id = headers.get(REQUEST_ID, "")
        request_id = sent_id if _VALID_ID.fullmatch(sent_id) else uuid.uuid4().hex
        client = Client(self._access, scope["client"][0] if scope.get("client") else None)
        context = RequestContext(request_id, headers.get(SESSION_ID), client)
        context.store_in(scope)
        serve = self._serve_http if scope["type"] == "http" else self._serve_websocket
        with tracing.joined(headers) as trace_id, logs.bound(request_id=request_id, trace_id=trace_id):
            await serve(scope, receive, send, headers, context)

    async def _serve_http(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, context: RequestContext
    ) -> None:
        exchange = _Exchange(scope, receive, send, headers, context)
        try:
            if self._check_host and scope["path"] not in _FOR_ANY_HOST:
                self._check_host(headers.get("host", ""))
            await self._app(scope, exchange.receive, exchange.send)
        except GatewayError as error:
            await exchange.reply_error(error)
        except Exception:
            _log.exception("failed", extra={"method": scope["method"], "path": scope["path"]})
            if exchange.status:
                raise  # half a reply is sent; only closing the connection shows the client that it is broken
            await exchange.reply_error(
                GatewayError(f"internal error of the gateway; its log has it under request id {context.request_id}")
            )
        finally:
            exchange.record()

    async def _serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, context: RequestContext
    ) -> None:
        """A stream has its own line in the log and its own counters (gateway.routes.stream)."""

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                MutableHeaders(scope=message)[REQUEST_ID] = context.request_id
            await send(message)

        try:
            if self._check_host:
                self._check_host(headers.get("host", ""))
            await self._app(scope, receive, send_with_id)
        except GatewayError as error:
            context.error_code = error.code
            await error_response(error)(scope, receive, send_with_id)
        if context.error_code:
            _metrics(scope).errors.labels(context.error_code).inc()


class _Exchange:
    """One HTTP request and its reply, observed as their messages pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: Headers, context: RequestContext) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = headers
        self._context = context
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
            self._add_headers(MutableHeaders(scope=message))
        self._bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def reply_error(self, error: GatewayError) -> None:
        self._context.error_code = error.code
        await error_response(error)(self._scope, self._receive, self.send)

    def record(self) -> None:
        """Count the request and write its line."""
        metrics, context = _metrics(self._scope), self._context
        method = self._scope["method"]
        route = getattr(self._scope.get("route"), "path", "other")
        seconds = time.perf_counter() - self._started_at
        metrics.requests.labels(method, route, self.status).inc()
        metrics.request_seconds.labels(route).observe(seconds)
        if context.error_code:
            metrics.errors.labels(context.error_code).inc()
        line = {
            "method": method,
            "route": route,
            "status": self.status,
            "ms": round(1000 * seconds, 2),
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
            "client": context.client.host,
            "caller": context.client.name,
            "error": context.error_code,
            **self._answered_by,
        }
        # logging refuses `extra` with the names of a record's own attributes, hence no "name" or "message" here.
        level = logging.DEBUG if route in PROBES else logging.INFO
        _log.log(level, "request", extra={name: value for name, value in line.items() if value is not None})

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers[REQUEST_ID] = self._context.request_id
        for name, value in _SAFE_HEADERS.items():
            headers.setdefault(name, value)
        # Not for localhost: the browser would require HTTPS of everything else that is developed there.
        if self._scope["scheme"] == "https" and not self._headers.get("host", "").startswith("localhost"):
            headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}"
        for field, header in (("model", "X-Model-Name"), ("version", "X-Model-Version")):
            if header in headers:
                self._answered_by[field] = headers[header]


def _metrics(scope: Scope) -> Metrics:
    return AppState.of(scope["state"]).metrics
