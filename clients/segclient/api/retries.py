"""Retrying requests: when, after how long, and for how long."""

import random
import time
from collections.abc import Callable

from segclient.errors import SegclientError, Unreachable

# Exponential back-off where there is no Retry-After.
_FIRST_WAIT_S, _MAX_WAIT_S = 0.25, 2.0


class Retries:
    """State shared by the requests of one client.

    A Retry-After delays all of them: the gateway limits clients, not single requests. A gateway that has never answered
    is not retried: most likely its address is wrong.

    Args:
        patience_s: how long to retry one request, waits included; 0 tries once.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience_s = patience_s
        self.clock = clock
        self.has_answered = False
        self.quiet_until = 0.0

    def request(self) -> "Attempts":
        """The attempts of a new request."""
        return Attempts(self)


class Attempts:
    """One request, tried until it succeeds or patience runs out: sleep :meth:`wait_s`, then try."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._until = retries.clock() + retries.patience_s
        self._failures = 0
        self._not_before = 0.0

    def wait_s(self) -> float:
        """Seconds to sleep before the next attempt."""
        return max(0.0, max(self._not_before, self._retries.quiet_until) - self._retries.clock())

    def succeeded(self) -> None:
        """Record an answer: from now on an unreachable gateway is retried."""
        self._retries.has_answered = True

    def failed(self, error: SegclientError) -> None:
        """Schedule another attempt, or raise ``error`` if none would help or be in time."""
        if not isinstance(error, Unreachable):
            self._retries.has_answered = True
        now = self._retries.clock()
        back_off = min(_MAX_WAIT_S, _FIRST_WAIT_S * 2**self._failures)
        self._failures += 1
        # With jitter, so that requests refused together do not return together.
        wait = (error.retry_after_s or 0.0) + back_off * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if not error.transient or not self._retries.has_answered or now + wait > self._until:
            raise error
        self._not_before = now + wait
        if error.retry_after_s:
            self._retries.quiet_until = max(self._retries.quiet_until, now + error.retry_after_s)
