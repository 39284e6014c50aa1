"""Map a function over an endless iterable in threads, with few items in flight."""

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
    """Each item and its finished future, in the items' order; at most ``parallel`` run ahead of the consumer."""
    items = iter(items)
    in_flight: deque[tuple[Item, Future[Result]]] = deque()
    with _threads(parallel) as threads:
        while True:
            in_flight.extend(
                (item, threads.submit(function, item)) for item in islice(items, parallel - len(in_flight))
            )
            if not in_flight:
                return
            wait([in_flight[0][1]])
            yield in_flight.popleft()


def as_completed(
    function: Callable[[Item], Result], items: Iterable[Item], parallel: int
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item and its finished future, in completion order; at most ``parallel`` run ahead of the consumer."""
    items = iter(items)
    in_flight: dict[Future[Result], Item] = {}
    with _threads(parallel) as threads:
        while True:
            in_flight |= {threads.submit(function, item): item for item in islice(items, parallel - len(in_flight))}
            if not in_flight:
                return
            done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            for future in done:
                yield in_flight.pop(future), future


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A consumer that stops early does not wait for items in flight."""
    threads = ThreadPoolExecutor(count, "segclient")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
