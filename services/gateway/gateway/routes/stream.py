"""``WS /stream``: who may open one, and its line in the log. What happens on it is in :mod:`gateway.stream`."""

import logging
import time
from contextlib import suppress

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from gateway.access.hosts import host_check
from gateway.access.origins import check_origin
from gateway.errors import GatewayError, error_response
from gateway.flow import tracing
from gateway.request import logs
from gateway.request.deps import AppState
from gateway.request.middleware import REQUEST_ID, request_id_of
from gateway.stream.closing import Closing
from gateway.stream.session import Session

_log = logging.getLogger(__name__)

router = APIRouter()


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """Frames in, masks or overlays out, always of the newest frame. PROTOCOL.md says how."""
    state: AppState = websocket.state.gateway
    request_id = request_id_of(websocket.headers)
    with tracing.joined(websocket.headers) as trace_id, logs.bound(request_id=request_id, trace_id=trace_id):
        try:
            if check_host := host_check(state.settings):
                check_host(websocket.headers.get("host", ""))
            check_origin(websocket.headers, state.settings.cors_origins)
            visitor = websocket.state.visitor = state.access.visitor(websocket)
        except GatewayError as error:
            # Before the handshake, so that programs get the status; a browser's script cannot see it in any case.
            state.metrics.errors.labels(error.code).inc()
            reply = error_response(error, websocket.scope)
            reply.headers[REQUEST_ID] = request_id
            await websocket.send_denial_response(reply)
            return
        await websocket.accept(headers=[(REQUEST_ID.lower().encode(), request_id.encode())])
        started_at = time.perf_counter()
        session = Session(websocket, state, visitor)
        try:
            with state.streams.enter(session):
                if visitor.is_known:
                    state.streams.take_place(session)
                closing = await session.run()
        except Closing as refused:
            closing = refused
        if not closing.is_gone:
            with suppress(RuntimeError, WebSocketDisconnect):  # it may have gone in this moment
                await websocket.close(closing.code, closing.reason)
        model, version = session.answered_by or (None, None)
        line = {
            "s": round(time.perf_counter() - started_at, 3),
            **session.slot.counts.model_dump(exclude={"type"}),
            "client": websocket.client.host if websocket.client else None,
            "caller": visitor.name,
            "model": model,
            "version": version,
            "code": closing.code,
            "reason": closing.reason or None,
        }
        _log.info("stream", extra={name: value for name, value in line.items() if value is not None})
        state.metrics.streams_closed.labels("client" if closing.is_gone else closing.code).inc()
