"""Counters and histograms with labels, written in Prometheus's text format (exposition format 0.0.4).

prometheus-client would append ``_total`` to every counter's name, which TensorFlow Serving's counters do not have.
"""

import bisect
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# TensorFlow Serving's buckets for latencies: up to 10 us, then each limit 1.8 times the one before, to 20 minutes.
LATENCY_LIMITS_US = tuple(10 * 1.8**i for i in range(33))
_LIMIT_LABELS = (*(f"{limit:g}" for limit in LATENCY_LIMITS_US), "+Inf")

Labels = Iterable[tuple[str, str]]


class Counter:
    """A count that only grows, for each combination of values of ``labels`` (names, separated by spaces)."""

    def __init__(self, name: str, meaning: str, labels: str) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels.split()
        self._counts: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, amount: int = 1) -> None:
        """Count ``amount`` for these label values, given in the order of the labels."""
        with self._lock:
            self._counts[values] = self._counts.get(values, 0) + amount

    def lines(self) -> Iterator[str]:
        """The metric in the text format, line by line."""
        with self._lock:
            counts = list(self._counts.items())
        yield from _head(self._name, self._meaning, "counter")
        for values, count in counts:
            yield f"{self._name}{_braced(zip(self._labels, values, strict=True))} {count}"


class Histogram:
    """Durations in microseconds, for each combination of values of ``labels`` (names, separated by spaces)."""

    def __init__(self, name: str, meaning: str, labels: str) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels.split()
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def observe(self, *values: str, microseconds: int) -> None:
        """Count one duration for these label values, given in the order of the labels."""
        with self._lock:
            buckets = self._buckets.setdefault(values, [0] * len(_LIMIT_LABELS))
            buckets[bisect.bisect_left(LATENCY_LIMITS_US, microseconds)] += 1
            self._sums[values] = self._sums.get(values, 0) + microseconds

    def lines(self) -> Iterator[str]:
        """The metric in the text format, line by line: cumulative buckets, sum and count."""
        with self._lock:
            series = [(values, list(buckets), self._sums[values]) for values, buckets in self._buckets.items()]
        yield from _head(self._name, self._meaning, "histogram")
        for values, buckets, total in series:
            labels = list(zip(self._labels, values, strict=True))
            for limit, count in zip(_LIMIT_LABELS, itertools.accumulate(buckets), strict=True):
                yield f"{self._name}_bucket{_braced([*labels, ('le', limit)])} {count}"
            yield f"{self._name}_sum{_braced(labels)} {total}"
            yield f"{self._name}_count{_braced(labels)} {sum(buckets)}"


def gauge_lines(name: str, meaning: str, labels: str, values: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    """A gauge of the values given, in the text format, line by line."""
    yield from _head(name, meaning, "gauge")
    for label_values, value in values.items():
        yield f"{name}{_braced(zip(labels.split(), label_values, strict=True))} {value}"


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
