"""Asking again: when it makes sense, after how long, and for how long altogether."""

import random
import time
from collections.abc import Callable

from segclient.errors import SegclientError, Unreachable

# Where nothing says when to come back: doubled each time, up to the longest.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 2.0


class Retries:
    """What the requests of one client know together.

    Who is told to wait (Retry-After) waits for all of them: the gateway turns away clients, not single requests. And a
    gateway that has never answered is not waited for: most likely its address is wrong.

    Args:
        patience_s: how long one request may go on being refused, waits included; 0 asks once.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience_s = patience_s
        self.clock = clock
        self.has_answered = False
        self.quiet_until = 0.0

    def request(self) -> "Attempts":
        """The attempts at one more request."""
        return Attempts(self)


class Attempts:
    """One request, asked until it is answered or patience ends: sleep :meth:`wait_s`, try, :meth:`failed` or return."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._until = retries.clock() + retries.patience_s
        self._failures = 0
        self._not_before = 0.0

    def wait_s(self) -> float:
        """Seconds to sleep before the next attempt."""
        return max(0.0, max(self._not_before, self._retries.quiet_until) - self._retries.clock())

    def succeeded(self) -> None:
        """There was an answer; from now on the gateway is waited for when it is away."""
        self._retries.has_answered = True

    def failed(self, error: SegclientError) -> None:
        """Prepare for another attempt, or raise ``error`` where none would help or be in time."""
        if not isinstance(error, Unreachable):
            self._retries.has_answered = True
        now = self._retries.clock()
        back_off = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**self._failures)
        self._failures += 1
        # Spread out, or those that were refused together come back together.
        wait = (error.retry_after_s or 0.0) + back_off * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if not error.transient or not self._retries.has_answered or now + wait > self._until:
            raise error
        self._not_before = now + wait
        if error.retry_after_s:
            self._retries.quiet_until = max(self._retries.quiet_until, now + error.retry_after_s)
