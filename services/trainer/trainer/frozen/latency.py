"""How long a call takes, in wall-clock time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WARM_UP_CALLS = 3
# A shorter measurement is noise; a longer one adds nothing.
_LEAST_SECONDS, _MOST_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds: half of the calls took at most ``p50``, 95 of 100 at most ``p95``."""

    p50: float
    p95: float
    calls: int


def latency_of(call: Callable[[], Any], least_calls: int = 20) -> Latency:
    """Call repeatedly; the first calls, which allocate and compile, are not counted.

    ``least_calls``: a percentile of fewer is noise.
    """
    for _ in range(_WARM_UP_CALLS):
        call()
    taken: list[float] = []
    while sum(taken) < _MOST_SECONDS and (len(taken) < least_calls or sum(taken) < _LEAST_SECONDS):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    p50, p95 = 1000 * np.percentile(taken, [50, 95])
    return Latency(float(p50), float(p95), len(taken))


def noise(height: int, width: int) -> NDArray[np.uint8]:
    """An image [1, height, width, 3] to measure with, the same in every call."""
    return np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
