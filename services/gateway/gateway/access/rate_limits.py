"""How often one caller may ask: a token bucket each, in a table that does not grow with the number of callers."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from gateway.errors import RateLimited

# A camera that pauses may catch up; two seconds' worth at once is no flood.
_BURST_S = 2.0

# Callers remembered. The one that has been silent longest is forgotten first, and its bucket is full by then unless
# more than this many ask within _BURST_S.
_MOST_CALLERS = 10_000


class RateLimiter:
    """Token buckets by caller: each fills at the caller's rate up to ``_BURST_S`` seconds' worth, at least one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller: tokens, at what time

    def take(self, caller: str, requests_per_s: float) -> None:
        """Count one request of ``caller``.

        Raises:
            RateLimited: its bucket is empty; ``retry_after_s`` says in how many whole seconds it is not.
        """
        tokens = self._tokens(caller, requests_per_s)
        allowed = tokens >= 1
        self._keep(caller, tokens - 1 if allowed else tokens)
        if not allowed:
            wait_s = math.ceil((1 - tokens) / requests_per_s)
            error = RateLimited(
                f"{caller} may send {requests_per_s:g} requests a second; try again in {wait_s} s",
                requests_per_s=requests_per_s,
            )
            error.retry_after_s = wait_s
            raise error

    def wait_s(self, caller: str, requests_per_s: float) -> float:
        """Seconds until :meth:`take` lets a request of ``caller`` in; 0 when it does now."""
        return max(0.0, (1 - self._tokens(caller, requests_per_s)) / requests_per_s)

    def charge(self, caller: str, requests_per_s: float, count: int) -> None:
        """Count ``count`` more for a request that was let in before it was known how much it holds."""
        self._keep(caller, self._tokens(caller, requests_per_s) - count)

    def _tokens(self, caller: str, requests_per_s: float) -> float:
        now = self._clock()
        capacity = max(1.0, _BURST_S * requests_per_s)
        tokens, since = self._buckets.get(caller, (capacity, now))
        return min(capacity, tokens + (now - since) * requests_per_s)

    def _keep(self, caller: str, tokens: float) -> None:
        self._buckets[caller] = (tokens, self._clock())
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
