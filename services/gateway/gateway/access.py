"""Who may ask: dependencies of the routes that are not open to everyone."""

import ipaddress
from functools import partial
from typing import Annotated

from fastapi import Depends
from fastapi.params import Depends as Dependency
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from gateway import errors
from gateway.api_keys import KeyRing
from gateway.error_docs import error_responses
from gateway.rate_limit import RateLimiter

_bearer = HTTPBearer(auto_error=False, description="The API key.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The API key, where Authorization is taken.")


class Access:
    """The doors: :attr:`metered` before what costs the model's time, :attr:`known` before what only reads.

    With keys both ask for one, and ``request.state.caller`` is its name afterwards; without, everyone passes. Where
    there is a rate, ``request.state.charge(count)`` counts a metered request as that many more.
    """

    def __init__(self, keys: KeyRing | None, requests_per_s: float | None) -> None:
        self._keys = keys
        self._requests_per_s = requests_per_s
        self._limiter = RateLimiter()
        # Two functions rather than one with an `if`: only where keys are needed does OpenAPI speak of them.
        self.known: list[Dependency] = [Depends(self._with_key)] if keys else []
        self.metered: list[Dependency] = [*self.known, Depends(self._limit)]
        self.responses = error_responses(errors.Unauthorized, errors.Forbidden) if keys else {}

    # async, though nothing is waited for: FastAPI runs plain functions in a thread, which costs more than these do.
    async def _with_key(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        header: Annotated[str | None, Depends(_header)],
    ) -> None:
        assert self._keys
        presented = bearer.credentials if bearer else header
        if not presented:
            raise errors.Unauthorized(
                "an API key is needed; send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`"
            )
        key = self._keys.find(presented)
        if key is None:
            raise errors.Forbidden(
                "this API key is not, or no longer, valid; ask for a new one whoever runs the gateway"
            )
        request.state.caller = f"key {key.name!r}"
        request.state.requests_per_s = key.requests_per_s

    async def _limit(self, request: Request) -> None:
        own_rate = getattr(request.state, "requests_per_s", None)
        requests_per_s = own_rate or self._requests_per_s
        if requests_per_s:
            caller = getattr(request.state, "caller", None) or _network(request)
            self._limiter.take(caller, requests_per_s)
            request.state.charge = partial(self._limiter.charge, caller, requests_per_s)


def _network(request: Request) -> str:
    """The client's address; of IPv6 the /64, since every home has 2^64 addresses to change between."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a proxy's own name for its client
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
