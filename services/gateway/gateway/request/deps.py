"""What routes are given: the application's state, and query strings held to what is documented."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, TypedDict

from fastapi import Depends, Query
from starlette.requests import Request

from gateway.access.control import Access
from gateway.api.parameters import OLD_NAME_OF_FORM, SegmentParameters
from gateway.errors import InvalidParameter
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.metrics import Metrics
from gateway.rollout.canary import Canary
from gateway.rollout.catalog import Catalog
from gateway.rollout.shadow import Shadow
from gateway.segmentation import Segmenter
from gateway.serving_client.client import ServingClient
from gateway.settings import Settings
from gateway.stream.streams import Streams


@dataclass(frozen=True)
class AppState:
    """Everything that lives as long as the application."""

    settings: Settings
    catalog: Catalog
    serving: ServingClient
    admission: Admission
    segmenter: Segmenter
    canary: Canary
    shadow: Shadow
    metrics: Metrics
    codecs: CodecPool
    access: Access
    streams: Streams


class LifespanState(TypedDict):
    """What the lifespan yields; Starlette hands it to every request."""

    gateway: AppState


# async, though nothing is waited for: FastAPI runs plain functions in a thread, which costs more than these do.
async def app_state(request: Request) -> AppState:
    """The state the lifespan made."""
    state: AppState = request.state.gateway
    return state


State = Annotated[AppState, Depends(app_state)]


def only_query(*known: str, unlisted: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses query parameters other than ``known``, and any given twice.

    A misspelt one must not pass unnoticed, nor one value hide another. ``unlisted`` ones are accepted, and not named in
    errors.
    """

    async def check(request: Request) -> None:
        for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
            if times > 1:
                raise InvalidParameter(f"{name} is given {times} times; give it once", parameter=name)
            if name not in (*known, *unlisted):
                near = get_close_matches(name, known, 1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}? " if near else ""
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise InvalidParameter(
                    f"{request.url.path} has no query parameter {name!r}; {hint}{takes}",
                    parameter=name,
                    available=list(known),
                )

    return check


async def segment_parameters(
    _: Annotated[None, Depends(only_query(*SegmentParameters.model_fields, unlisted=(OLD_NAME_OF_FORM,)))],
    parameters: Annotated[SegmentParameters, Query()],
) -> SegmentParameters:
    """The query string of a segmentation: known names, values in range, none against another."""
    parameters.check()
    return parameters


Parameters = Annotated[SegmentParameters, Depends(segment_parameters)]
