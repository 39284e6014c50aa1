"""Waiting for a condition, for longer on a machine that is slower.

Limits in tests are written for four CPUs. On fewer, or where pytest-xdist shares them among workers, they grow in
proportion; ``SEGSTACK_TEST_TIMEOUT_FACTOR`` replaces that estimate.
"""

from __future__ import annotations  # the contract's tests run on Python 3.8 too

import asyncio
import os
import time
from collections.abc import Callable

_POLL_S = 0.005


def _timeout_factor() -> float:
    given = os.environ.get("SEGSTACK_TEST_TIMEOUT_FACTOR")
    if given:
        return float(given)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1.0, 4 * workers / (os.cpu_count() or 1))


TIMEOUT_FACTOR = _timeout_factor()


def scaled(seconds: float) -> float:
    """A limit of ``seconds`` as this machine needs it."""
    return seconds * TIMEOUT_FACTOR


def wait_until(
    condition: Callable[[], object], seconds: float = 15.0, what: str = "the condition", poll_s: float = _POLL_S
) -> None:
    """Poll ``condition`` until it holds; AssertionError that names ``what`` after ``scaled(seconds)``."""
    limit_s = scaled(seconds)
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not hold within {limit_s:.0f} s"
        time.sleep(poll_s)


async def wait_until_async(condition: Callable[[], object], seconds: float = 15.0, what: str = "the condition") -> None:
    """`wait_until` in a thread, so that the event loop goes on meanwhile."""
    await asyncio.to_thread(wait_until, condition, seconds, what)
