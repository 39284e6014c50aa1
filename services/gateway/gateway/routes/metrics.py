"""For Prometheus. Where there are API keys it needs one: figures on models and traffic are not for strangers."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.request.deps import State, only_query

router = APIRouter(tags=["health"], dependencies=[Depends(only_query())])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: State) -> Response:
    """Prometheus text format."""
    return Response(state.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
