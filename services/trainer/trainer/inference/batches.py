"""Items in batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in order, so many at a time, taken as they are needed; the last batch may be smaller."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
