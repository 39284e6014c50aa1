"""Wall-clock latency of both models as a caller sees it, copies of pixels and masks included."""

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from converter.interface import Interface
from converter.saved_model import SavedModel

_WARM_UP_ROUNDS = 5
_MAX_ROUNDS = 50
_MAX_SECONDS = 10.0


@dataclass(frozen=True)
class Latency:
    """Medians in milliseconds at one batch size."""

    batch_size: int
    source_ms: float
    converted_ms: float


def measure(
    source: SavedModel, converted: SavedModel, interface: Interface, image: Any, batch_sizes: Sequence[int]
) -> List[Latency]:
    """Time both alternately, so that a machine that slows down affects both.

    Args:
        source: the source's model.
        converted: the converted one, with the same signature.
        interface: the signature and its tensors.
        image: uint8 [H, W, 3], repeated to fill the batch.
        batch_sizes: at most fifty rounds or about ten seconds for each.
    """
    latencies = []
    for batch_size in batch_sizes:
        feeds = interface.feeds(np.repeat(image[np.newaxis], batch_size, axis=0))
        calls = [partial(model.run, interface.signature, feeds) for model in (source, converted)]
        latencies.append(Latency(batch_size, *_medians(calls)))
    return latencies


def _medians(calls: Sequence[Callable[[], Any]]) -> Tuple[float, ...]:
    for _ in range(_WARM_UP_ROUNDS):
        for call in calls:
            call()
    times: List[List[float]] = [[] for _ in calls]
    start = time.perf_counter()
    while len(times[0]) < _MAX_ROUNDS and (not times[0] or time.perf_counter() - start < _MAX_SECONDS):
        for call, durations in zip(calls, times):
            before = time.perf_counter()
            call()
            durations.append(1000 * (time.perf_counter() - before))
    return tuple(statistics.median(durations) for durations in times)
