"""``WS /stream``: who may open one, its parts, and its line in the log.

What happens on it is in :mod:`gateway.stream`.
"""

import logging
import time
from contextlib import suppress

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from gateway.access.hosts import check_origin
from gateway.request.context import RequestContext
from gateway.request.deps import AppState
from gateway.stream.control_channel import ControlChannel
from gateway.stream.frames import FramePipeline
from gateway.stream.session import Session
from gateway.stream.slot import NewestFrame
from gateway.stream.streams import Closing, Streams

_log = logging.getLogger(__name__)

router = APIRouter()


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """Frames in, masks or overlays out, always of the newest frame. PROTOCOL.md describes it."""
    state, streams = AppState.of(websocket.scope["state"]), Streams.of(websocket.scope["state"])
    context = RequestContext.of(websocket.scope)
    client = context.client
    # Errors before the handshake are HTTP replies, so that programs see the status; a browser's script never does.
    check_origin(websocket.headers, state.settings.cors_origins)
    if (key := _key_in_headers(websocket)) and not client.is_authorized:
        client.authenticate(key)
    await websocket.accept()
    started_at = time.perf_counter()
    newest = NewestFrame(state.metrics.frames.labels("dropped").inc)
    channel = ControlChannel(websocket, context, state.router, state.serving, state.metrics, state.settings.deadline_ms)
    frames = FramePipeline(
        websocket,
        newest,
        channel,
        streams.turns,
        state.admission,
        state.codecs,
        state.segmenter,
        state.metrics,
        max_pixels=min(state.settings.max_frame_pixels, state.settings.max_pixels),
        deadline_ms=state.settings.deadline_ms,
    )
    session = Session(
        websocket,
        client,
        streams,
        newest,
        channel,
        frames,
        state.metrics,
        idle_timeout_ms=state.settings.stream_idle_timeout_ms,
        key_timeout_ms=state.settings.header_timeout_ms,
    )
    try:
        with streams.register(session):
            if client.is_authorized:
                streams.count(session)
            closing = await session.run()
    except Closing as refused:
        closing = refused
    if not closing.by_client:
        with suppress(RuntimeError, WebSocketDisconnect):  # the client may have disconnected at this moment
            await websocket.close(closing.code, closing.reason)
    model, version = channel.answered_by or (None, None)
    line = {
        "s": round(time.perf_counter() - started_at, 3),
        **newest.counts.model_dump(exclude={"type"}),
        "client": client.host,
        "caller": client.name,
        "model": model,
        "version": version,
        "code": closing.code,
        "reason": closing.reason or None,
    }
    _log.info("stream", extra={name: value for name, value in line.items() if value is not None})
    state.metrics.streams_closed.labels("client" if closing.by_client else closing.code).inc()


def _key_in_headers(websocket: WebSocket) -> str | None:
    """The API key of a program; browsers cannot set headers and send it in configure."""
    scheme, _, bearer = websocket.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else websocket.headers.get("x-api-key")
