"""Who may use the gateway, and how often: clients, their API keys and their rates."""

import asyncio
import ipaddress

from gateway.access.keys import KeyRing
from gateway.access.rate_limits import RateLimiter
from gateway.errors import Forbidden, Unauthorized

# How a request, and a stream, carries its key.
KEY_IN_HEADERS = "send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`"
KEY_IN_CONFIGURE = "send it in configure, as api_key"

# Why a stream is closed that sends frames, or too much text, before its key.
KEY_NEEDED = f"an API key is needed before the first frame; {KEY_IN_CONFIGURE}"


class Access:
    """What all clients share: the valid keys, the default rate, and the count of requests sent.

    Args:
        keys: None where no client needs a key.
        requests_per_s: of each client whose key sets no rate; None: unlimited.
    """

    def __init__(self, keys: KeyRing | None, requests_per_s: float | None) -> None:
        self.keys = keys
        self.requests_per_s = requests_per_s
        self.limiter = RateLimiter()


class Client:
    """The sender of a request or of a stream: the owner of an API key, or, without keys, an address.

    Attributes:
        host: the address, as the server or a trusted proxy gives it; None if unknown.
        name: ``key 'fleet'`` once authenticated; for logs, rates and the canary.
    """

    def __init__(self, access: Access, host: str | None) -> None:
        self.host = host
        self.name: str | None = None
        self._access = access
        self._key: str | None = None
        self._requests_per_s: float | None = None

    @property
    def is_authorized(self) -> bool:
        """Whether it may send images: it has shown a valid key, or needs none."""
        return self._key is not None or self._access.keys is None

    def authenticate(self, key: str | None, how: str = KEY_IN_HEADERS) -> None:
        """Accept a key; ``how`` explains to a client without one where to put it. Call it only if keys are needed.

        Raises:
            Unauthorized: ``key`` is empty.
            Forbidden: it is not a valid key.
        """
        if not key:
            raise Unauthorized(f"an API key is needed; {how}")
        assert self._access.keys
        owner = self._access.keys.find(key)
        if owner is None:
            raise Forbidden(
                "this API key is not, or no longer, valid; request a new one from the operator of the gateway"
            )
        self.name, self._key, self._requests_per_s = f"key {owner.name!r}", key, owner.requests_per_s

    def count_request(self) -> None:
        """Count one request.

        Raises:
            RateLimited: it is above the client's rate.
        """
        if rate := self._rate:
            self._access.limiter.take(self._rate_key, rate)

    def count_more_requests(self, count: int) -> None:
        """Count ``count`` more for a request that turned out to hold more than one image; never refused."""
        if rate := self._rate:
            self._access.limiter.charge(self._rate_key, rate, count)

    async def wait_for_rate(self) -> None:
        """Wait until the rate allows one more frame, and count it as a request.

        Raises:
            Forbidden: the key is no longer valid.
        """
        if self._access.keys is not None:
            self.authenticate(self._key)
        if rate := self._rate:
            limiter, rate_key = self._access.limiter, self._rate_key
            while wait_s := limiter.wait_s(rate_key, rate):  # noqa: ASYNC110 - time alone refills the bucket
                await asyncio.sleep(wait_s)
            limiter.take(rate_key, rate)

    @property
    def _rate(self) -> float | None:
        return self._requests_per_s or self._access.requests_per_s

    @property
    def _rate_key(self) -> str:
        """The key's name, or the address; of IPv6 the /64, since every home has 2^64 addresses to switch between."""
        if self.name:
            return self.name
        host = self.host or "unknown"
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a proxy's own name for its client
            return host
        if address.version == 4:
            return host
        return str(ipaddress.ip_network((address, 64), strict=False))
