"""For whoever looks after the process: alive, ready. Open to everyone, for probes carry no keys."""

from fastapi import APIRouter, Depends

from gateway import errors
from gateway.api.error_docs import error_responses
from gateway.api.schemas import Alive, Ready
from gateway.flow.deadline import Deadline
from gateway.request.deps import State, only_query

router = APIRouter(tags=["health"], dependencies=[Depends(only_query())])

# Probes give up after a second or a few; the reason should reach them before.
_PROBE_MS = 1000


@router.head("/livez", include_in_schema=False)
@router.get("/livez", responses=error_responses(errors.InvalidParameter))
async def livez() -> Alive:
    """The process answers; says nothing of serving."""
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
    """The default model is AVAILABLE in serving, and the gateway stays; otherwise 503 with the reason."""
    if state.admission.is_closing:
        raise errors.ShuttingDown(
            "the gateway is shutting down; it finishes what it has taken on, and new requests belong elsewhere"
        )
    try:
        model = state.catalog.default()
        deadline = Deadline(min(_PROBE_MS, state.settings.deadline_ms))
        versions = await state.serving.versions(model, deadline)
        version, _ = await state.serving.current(model, versions, deadline)
    except errors.UnknownModel as error:  # an unready gateway, not a wrong address
        raise errors.ModelUnavailable(error.message, **error.detail) from None
    return Ready(model=model, version=version)
