"""A function over very many items in threads, with few of them under way at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], parallel: int
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item and its done future, in the items' order; at most ``parallel`` have been begun and not taken."""
    items = iter(items)
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    with _threads(parallel) as threads:
        while True:
            under_way.extend(
                (item, threads.submit(function, item)) for item in islice(items, parallel - len(under_way))
            )
            if not under_way:
                return
            wait([under_way[0][1]])
            yield under_way.popleft()


def as_completed(
    function: Callable[[Item], Result], items: Iterable[Item], parallel: int
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item and its done future, whichever is done first; at most ``parallel`` have been begun and not taken."""
    items = iter(items)
    under_way: dict[Future[Result], Item] = {}
    with _threads(parallel) as threads:
        while True:
            under_way |= {threads.submit(function, item): item for item in islice(items, parallel - len(under_way))}
            if not under_way:
                return
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield under_way.pop(future), future


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Whoever leaves early does not wait for what was begun."""
    threads = ThreadPoolExecutor(count, "segclient")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
