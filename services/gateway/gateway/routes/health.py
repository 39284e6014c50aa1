"""For monitoring: whether the gateway is alive and ready, and its metrics.

/livez and /readyz are open to everyone, since probes carry no keys. /metrics needs a key if any are configured: models
and traffic are not public.
"""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gateway import errors
from gateway.api.error_docs import error_responses
from gateway.api.schemas import Alive, Ready
from gateway.flow.deadline import Deadline
from gateway.request.deps import State, only_query

router = APIRouter(tags=["health"], dependencies=[Depends(only_query())])
metrics_router = APIRouter(tags=["health"], dependencies=[Depends(only_query())])

# Probes give up after a second or a few; the reason should reach them first.
_PROBE_MS = 1000


@router.head("/livez", include_in_schema=False)
@router.get("/livez", responses=error_responses(errors.InvalidParameter))
async def livez() -> Alive:
    """The process answers, in any state of serving."""
    return Alive()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    responses=error_responses(
        errors.InvalidParameter,
        errors.BadServingReply,
        errors.NoModel,
        errors.ModelUnavailable,
        errors.ServingUnavailable,
        errors.ShuttingDown,
        errors.DeadlineExceeded,
    ),
)
async def readyz(state: State) -> Ready:
    """The default model is AVAILABLE in serving and the gateway not shutting down; otherwise 503 with the reason."""
    if state.admission.is_closing:
        raise errors.ShuttingDown(
            "the gateway is shutting down; it finishes the requests in progress and accepts no others"
        )
    try:
        model = state.catalog.default()
        deadline = Deadline(min(_PROBE_MS, state.settings.deadline_ms))
        versions = await state.serving.versions(model, deadline)
        version, _ = await state.serving.current(model, versions, deadline)
    except errors.UnknownModel as error:  # the gateway is unready; the probe's address is right
        raise errors.ModelUnavailable(error.message, **error.detail) from None
    return Ready(model=model, version=version)


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: State) -> Response:
    """Prometheus text format."""
    return Response(state.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
