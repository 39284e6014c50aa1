"""The application: state, middleware, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from contract import __version__
from gateway.access.control import Access
from gateway.access.hosts import host_check
from gateway.access.keys import KeyRing
from gateway.errors import install_error_handlers
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.metrics import Metrics
from gateway.request.deps import AppState, LifespanState
from gateway.request.middleware import PROBES, REQUEST_ID, RequestMiddleware
from gateway.rollout.canary import SESSION_ID, Canary
from gateway.rollout.catalog import Catalog
from gateway.rollout.shadow import Shadow
from gateway.routes import agreement, batch, health, metrics, models, pages, segment, stream
from gateway.segmentation import Segmenter
from gateway.serving_client.client import ServingClient
from gateway.settings import Settings
from gateway.stream.streams import Streams

_DESCRIPTION = """\
Images in, semantic masks out. A mask pixel is a class id; 255 is ignored. Every error is
`{"error": {"code", "message", "detail"}}`. Segmentations carry `X-Model-Name`, `X-Model-Version` and `Server-Timing`,
every reply `X-Request-Id`."""


def create_app(settings: Settings) -> FastAPI:
    """The gateway for these settings. Serving may be away; it is looked for at the first request that needs it.

    Raises:
        ApiKeysError: the file of API keys cannot be used.
    """
    access = Access(KeyRing(settings.api_keys_file) if settings.api_keys_file else None, settings.requests_per_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[LifespanState]:
        admission = Admission(
            settings.max_in_flight, settings.max_waiting, settings.max_held_bytes, settings.max_pixels
        )
        codecs = CodecPool(settings.codec_threads)
        measured = Metrics(admission)
        catalog = Catalog(settings)
        async with ServingClient(settings.serving_address, codecs, settings.cards, settings.default_label) as serving:
            shadow = Shadow(settings.shadow, catalog, serving, codecs, admission, measured, settings.deadline_ms)
            measured.watch(shadow.agreements)
            yield {
                "gateway": AppState(
                    settings=settings,
                    catalog=catalog,
                    serving=serving,
                    admission=admission,
                    segmenter=Segmenter(serving, codecs, admission, measured, shadow, settings.max_pixels),
                    canary=Canary(settings.canary, catalog),
                    shadow=shadow,
                    metrics=measured,
                    codecs=codecs,
                    access=access,
                    streams=Streams(settings.max_streams, settings.frames_at_once, measured),
                )
            }
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
        # FastAPI's own spans, where gateway.flow.tracing has said whereto; figures and logs are ours.
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
    app.add_middleware(RequestMiddleware, check_host=host_check(settings))
    install_error_handlers(app)
    for router in (segment.router, batch.router):
        app.include_router(router, dependencies=access.metered, responses=access.responses)
    for router in (models.router, agreement.router, metrics.router):
        app.include_router(router, dependencies=access.known, responses=access.responses)
    for router in (health.router, pages.router, stream.router):  # streams ask for the key themselves
        app.include_router(router)
    app.mount("/static", pages.assets)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: stays the same when the path or the method's place in the file changes."""
    return route.name
