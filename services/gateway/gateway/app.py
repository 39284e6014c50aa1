"""The application: state, middleware, routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.admission import Admission
from gateway.codecs import CodecPool
from gateway.deps import AppState, LifespanState
from gateway.errors import install_error_handlers
from gateway.metrics import Metrics
from gateway.middleware import RequestMiddleware
from gateway.models import Catalog
from gateway.routes import health, models, pages, segment
from gateway.segmentation import Segmenter
from gateway.serving_client import ServingClient
from gateway.settings import Settings

_DESCRIPTION = """\
Images in, semantic masks out. A mask pixel is a class id; 255 is ignored. Every error is
`{"error": {"code", "message", "detail"}}`. Segmentations carry `X-Model-Name`, `X-Model-Version` and `Server-Timing`,
every reply `X-Request-Id`."""


def create_app(settings: Settings) -> FastAPI:
    """The gateway for these settings. Serving may be away; it is looked for at the first request that needs it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[LifespanState]:
        admission = Admission(
            settings.max_in_flight, settings.max_waiting, settings.max_held_bytes, settings.max_pixels
        )
        codecs = CodecPool(settings.codec_threads)
        async with ServingClient(settings.serving_address, codecs, settings.cards) as serving:
            yield {
                "gateway": AppState(
                    settings=settings,
                    catalog=Catalog(settings),
                    serving=serving,
                    admission=admission,
                    segmenter=Segmenter(serving, codecs, admission, settings.max_pixels),
                    metrics=Metrics(admission),
                )
            }
        codecs.close()

    app = FastAPI(
        title="Segstack gateway",
        version="0.1.0",
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.add_middleware(RequestMiddleware)
    install_error_handlers(app)
    for router in (segment.router, models.router, health.router, pages.router):
        app.include_router(router)
    app.mount("/static", pages.assets)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: stays the same when the path or the method's place in the file changes."""
    return route.name
