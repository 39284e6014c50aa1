"""What routes depend on: the application's state, an API key and a rate, and a query string that is documented."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Self

from fastapi import Depends, Query
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from gateway.api.parameters import OLD_NAME_OF_FORM, SegmentParameters
from gateway.errors import InvalidParameter
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.metrics import Metrics
from gateway.request.context import RequestContext
from gateway.rollout.catalog import Catalog
from gateway.rollout.router import Router
from gateway.rollout.shadow import Shadow
from gateway.segmentation import Segmenter
from gateway.serving_client.client import ServingClient
from gateway.settings import Settings

_KEY = "gateway"

_bearer = HTTPBearer(auto_error=False, description="The API key.")
_header = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="The API key, for clients that need Authorization for another."
)


@dataclass(frozen=True)
class AppState:
    """What routes use of the application's state."""

    settings: Settings
    catalog: Catalog
    serving: ServingClient
    admission: Admission
    segmenter: Segmenter
    router: Router
    shadow: Shadow
    metrics: Metrics
    codecs: CodecPool

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The application's: ``state`` is what its lifespan yielded, which an ASGI scope has as ``scope["state"]``."""
        found: Self = state[_KEY]
        return found

    def store_in(self, state: MutableMapping[str, Any]) -> None:
        """Have :meth:`of` find this."""
        state[_KEY] = self


# The dependencies are async, though they wait for nothing: FastAPI runs plain functions in a thread, which costs more.
async def app_state(request: Request) -> AppState:
    """The state that the application's lifespan made."""
    return AppState.of(request.scope["state"])


State = Annotated[AppState, Depends(app_state)]


async def require_key(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> None:
    """Authenticate the client by the key in its headers.

    Raises:
        Unauthorized, Forbidden
    """
    RequestContext.of(request.scope).client.authenticate(bearer.credentials if bearer else header)


async def count_request(request: Request) -> None:
    """Count the request, if its client has a rate.

    Raises:
        RateLimited
    """
    RequestContext.of(request.scope).client.count_request()


def only_query(*known: str, unlisted: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses query parameters other than ``known``, and repeated ones.

    Otherwise a misspelt parameter would be ignored silently, and one value would hide another. ``unlisted`` names are
    accepted, but not mentioned in errors.
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
    """The query string of a segmentation: known names, values in range, no two that contradict each other."""
    parameters.check()
    return parameters


Parameters = Annotated[SegmentParameters, Depends(segment_parameters)]
