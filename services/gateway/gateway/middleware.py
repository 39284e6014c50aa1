"""Around every request: an id, counters, safe headers, and an answer even to a bug."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.deps import AppState
from gateway.errors import GatewayError, error_response

_log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"

# An id comes back in a header and goes into logs: nothing in it may mean something there.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Plain ASGI rather than BaseHTTPMiddleware, which copies bodies through a queue."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass HTTP requests on; other scopes are none of its business."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = sent_id if _SANE_ID.fullmatch(sent_id) else uuid.uuid4().hex
        started_at = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _log.exception("request %s: %s %s failed", request_id, scope["method"], scope["path"])
            if status:
                raise  # half a reply is out; only closing the connection tells the caller
            error = GatewayError(f"an error of the gateway's own; its log has it under request id {request_id}")
            await error_response(error)(scope, receive, send_with_headers)
        finally:
            state: AppState = scope["state"]["gateway"]
            route = getattr(scope.get("route"), "path", "other")
            state.metrics.requests.labels(scope["method"], route, status).inc()
            state.metrics.request_seconds.labels(route).observe(time.perf_counter() - started_at)
