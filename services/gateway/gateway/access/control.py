"""Who may ask: dependencies of the routes that are not open to everyone."""

import asyncio
import ipaddress
from functools import partial
from typing import Annotated

from fastapi import Depends
from fastapi.params import Depends as Dependency
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection, Request

from gateway import errors
from gateway.access.keys import ApiKey, KeyRing
from gateway.access.rate_limits import RateLimiter
from gateway.api.error_docs import error_responses

# What a stranger is told who sends more than a text message or two.
KEY_NEEDED = "an API key is needed before the first frame; send it in configure, as api_key"

_bearer = HTTPBearer(auto_error=False, description="The API key.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The API key, where Authorization is taken.")


class Visitor:
    """Who opened a stream."""

    def __init__(self, access: "Access", address: str) -> None:
        self.name: str | None = None
        self._access = access
        self._address = address
        self._presented: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether frames may come: a valid key has been presented, or none is needed."""
        return self._presented is not None or not self._access.needs_key

    def present(self, key: str | None) -> None:
        """Look at a key.

        Raises:
            Unauthorized: it is none.
            Forbidden: it is not a key of ours.
        """
        if not key:
            raise errors.Unauthorized("an API key is needed; send it in configure, as api_key")
        self.name = f"key {self._access.find(key).name!r}"
        self._presented = key

    async def within_rate(self) -> None:
        """Wait until one more frame may be worked on, and count it as a request.

        Raises:
            Forbidden: the key is not valid any more.
        """
        own_rate = self._access.find(self._presented).requests_per_s if self._access.needs_key else None
        await self._access.wait(self.name or self._address, own_rate)


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
        key = self.find(bearer.credentials if bearer else header)
        request.state.caller = f"key {key.name!r}"
        request.state.requests_per_s = key.requests_per_s

    async def _limit(self, request: Request) -> None:
        own_rate = getattr(request.state, "requests_per_s", None)
        requests_per_s = own_rate or self._requests_per_s
        if requests_per_s:
            caller = getattr(request.state, "caller", None) or _network(request)
            self._limiter.take(caller, requests_per_s)
            request.state.charge = partial(self._limiter.charge, caller, requests_per_s)

    @property
    def needs_key(self) -> bool:
        """Whether there are keys."""
        return self._keys is not None

    def find(self, presented: str | None) -> ApiKey:
        """Whose key it is.

        Raises:
            Unauthorized: it is none.
            Forbidden: it is not a key of ours.
        """
        assert self._keys
        if not presented:
            raise errors.Unauthorized(
                "an API key is needed; send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`"
            )
        key = self._keys.find(presented)
        if key is None:
            raise errors.Forbidden(
                "this API key is not, or no longer, valid; ask for a new one whoever runs the gateway"
            )
        return key

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """Who opens a stream; a key may come in the headers or, as browsers cannot set those, later.

        Raises:
            Forbidden: a key in the headers is not one of ours.
        """
        visitor = Visitor(self, _network(connection))
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        presented = bearer.strip() if scheme.lower() == "bearer" else connection.headers.get("x-api-key")
        if self._keys and presented:
            visitor.present(presented)
        return visitor

    async def wait(self, caller: str, own_rate: float | None) -> None:
        """Let ``caller`` make one more request, when its rate allows it."""
        if requests_per_s := own_rate or self._requests_per_s:
            while wait_s := self._limiter.wait_s(caller, requests_per_s):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(wait_s)
            self._limiter.take(caller, requests_per_s)


def _network(request: HTTPConnection) -> str:
    """The client's address; of IPv6 the /64, since every home has 2^64 addresses to change between."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a proxy's own name for its client
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
