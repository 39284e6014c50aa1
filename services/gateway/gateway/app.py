"""The application: its lifespan, middleware, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from contract import __version__
from gateway.access.control import Access
from gateway.access.hosts import host_check
from gateway.access.keys import KeyRing
from gateway.api.error_docs import error_responses
from gateway.errors import Forbidden, Unauthorized
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.metrics import Metrics
from gateway.request.context import REQUEST_ID, SESSION_ID
from gateway.request.deps import AppState, count_request, require_key
from gateway.request.error_replies import install_error_handlers
from gateway.request.middleware import PROBES, RequestMiddleware
from gateway.rollout.catalog import Catalog
from gateway.rollout.router import Router
from gateway.rollout.shadow import Shadow
from gateway.routes import agreement, batch, health, models, pages, segment, stream
from gateway.segmentation import Segmenter
from gateway.serving_client.client import ServingClient
from gateway.settings import Settings
from gateway.stream.streams import Streams

_DESCRIPTION = """\
Images in, semantic masks out. A mask pixel is a class id; 255 is ignored. Every error is
`{"error": {"code", "message", "detail"}}`. Segmentations carry `X-Model-Name`, `X-Model-Version` and `Server-Timing`,
every reply `X-Request-Id`."""


def create_app(settings: Settings) -> FastAPI:
    """The gateway with these settings. Serving may be down; it is contacted by the first request that needs it.

    Raises:
        ApiKeysError: the file of API keys cannot be used.
    """
    access = Access(KeyRing(settings.api_keys_file) if settings.api_keys_file else None, settings.requests_per_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        admission = Admission(
            settings.max_in_flight, settings.max_waiting, settings.max_held_bytes, settings.max_pixels
        )
        codecs = CodecPool(settings.codec_threads)
        metrics = Metrics(admission)
        catalog = Catalog(settings)
        async with ServingClient(settings.serving_address, codecs, settings.cards, settings.default_label) as serving:
            shadow = Shadow(
                settings.shadow, catalog, serving, codecs, admission, metrics.count_shadow, settings.deadline_ms
            )
            metrics.watch(shadow.agreements)
            state: dict[str, Any] = {}  # Starlette copies it into the scope of every request and stream
            Streams(settings.max_streams, settings.frames_at_once, metrics).store_in(state)
            AppState(
                settings=settings,
                catalog=catalog,
                serving=serving,
                admission=admission,
                segmenter=Segmenter(serving, codecs, admission, metrics, shadow, settings.max_pixels),
                router=Router(catalog, settings.canary),
                shadow=shadow,
                metrics=metrics,
                codecs=codecs,
            ).store_in(state)
            yield state
            await shadow.close()
        codecs.close()

    app = FastAPI(
        title="Segstack gateway",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        # FastAPI's spans, exported as gateway.flow.tracing sets up; metrics and logs are the gateway's own.
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        },
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID, SESSION_ID],
            expose_headers=["Retry-After", "Server-Timing", "X-Model-Name", "X-Model-Version", REQUEST_ID],
        )
    app.add_middleware(RequestMiddleware, access=access, check_host=host_check(settings))
    install_error_handlers(app)
    # OpenAPI mentions keys only if any are configured.
    needs_key = [Depends(require_key)] if access.keys else []
    key_errors = error_responses(Unauthorized, Forbidden) if access.keys else {}
    for router in (segment.router, batch.router):
        app.include_router(router, dependencies=[*needs_key, Depends(count_request)], responses=key_errors)
    for router in (models.router, agreement.router, health.metrics_router):
        app.include_router(router, dependencies=needs_key, responses=key_errors)
    for router in (health.router, pages.router, stream.router):  # streams authenticate their clients themselves
        app.include_router(router)
    app.mount("/static", pages.assets)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: it stays the same when the path or the method's position in the file changes."""
    return route.name
