"""How long each model takes, wall-clock: what a caller waits for, its pixels copied in and the mask copied out."""

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from converter.proof.masks import Interface
from converter.saved_model import SavedModel

_WARM_UP = 5
_ROUNDS = 50
_SECONDS = 10.0


@dataclass(frozen=True)
class Latency:
    """Medians in milliseconds at one batch size."""

    batch_size: int
    source_ms: float
    converted_ms: float


def measure(
    source: SavedModel, converted: SavedModel, interface: Interface, image: Any, batch_sizes: Sequence[int]
) -> List[Latency]:
    """Time both in turn, round by round, so that a machine that slows down does so for both.

    Args:
        source: the one.
        converted: the other, with the same signature.
        interface: how to ask them.
        image: uint8 [H, W, 3], the whole batch's.
        batch_sizes: of each, at most fifty rounds or about ten seconds.
    """
    found = []
    for batch_size in batch_sizes:
        feeds = interface.feeds(np.repeat(image[np.newaxis], batch_size, axis=0))
        calls = [partial(model.run, interface.signature, feeds) for model in (source, converted)]
        found.append(Latency(batch_size, *_medians(calls)))
    return found


def _medians(calls: Sequence[Callable[[], Any]]) -> Tuple[float, ...]:
    for _ in range(_WARM_UP):
        for call in calls:
            call()
    times: List[List[float]] = [[] for _ in calls]
    start = time.perf_counter()
    while len(times[0]) < _ROUNDS and (not times[0] or time.perf_counter() - start < _SECONDS):
        for call, seen in zip(calls, times):
            before = time.perf_counter()
            call()
            seen.append(1000 * (time.perf_counter() - before))
    return tuple(statistics.median(seen) for seen in times)
