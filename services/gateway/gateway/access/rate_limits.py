"""How often each client may send a request: a token bucket each, in a table of bounded size."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from gateway.errors import RateLimited

# A camera that paused may catch up: two seconds' worth of requests at once.
_BURST_S = 2.0

# Clients remembered. The one idle for longest is forgotten first; its bucket is full by then, unless more than this
# many clients send requests within _BURST_S.
_MAX_CLIENTS = 10_000


class RateLimiter:
    """Token buckets by client: each fills at the client's rate up to ``_BURST_S`` seconds' worth, at least one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # client: tokens, and when they were counted

    def take(self, client: str, requests_per_s: float) -> None:
        """Count one request of ``client``.

        Raises:
            RateLimited: its bucket is empty; ``retry_after_s`` is the whole seconds until it is not.
        """
        tokens = self._tokens(client, requests_per_s)
        allowed = tokens >= 1
        self._keep(client, tokens - 1 if allowed else tokens)
        if not allowed:
            wait_s = math.ceil((1 - tokens) / requests_per_s)
            error = RateLimited(
                f"{client} may send {requests_per_s:g} requests a second; try again in {wait_s} s",
                requests_per_s=requests_per_s,
            )
            error.retry_after_s = wait_s
            raise error

    def wait_s(self, client: str, requests_per_s: float) -> float:
        """Seconds until :meth:`take` allows a request of ``client``; 0: now."""
        return max(0.0, (1 - self._tokens(client, requests_per_s)) / requests_per_s)

    def charge(self, client: str, requests_per_s: float, count: int) -> None:
        """Count ``count`` more requests of ``client``, whether or not its bucket holds so many."""
        self._keep(client, self._tokens(client, requests_per_s) - count)

    def _tokens(self, client: str, requests_per_s: float) -> float:
        now = self._clock()
        capacity = max(1.0, _BURST_S * requests_per_s)
        tokens, since = self._buckets.get(client, (capacity, now))
        return min(capacity, tokens + (now - since) * requests_per_s)

    def _keep(self, client: str, tokens: float) -> None:
        self._buckets[client] = (tokens, self._clock())
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
