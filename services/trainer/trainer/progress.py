"""Progress bars with speed and remaining time, and parallel work in threads."""

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from tqdm import tqdm

Source = TypeVar("Source")
Result = TypeVar("Result")

# A log file keeps every redraw of a bar; a terminal does not.
_SECONDS_BETWEEN_LINES_OF_A_LOG = 15.0


def progress(items: Iterable[Any] | None, doing: str, unit: str, total: int | None = None, done: int = 0) -> tqdm:
    """A bar over ``items``, or one that ``update()`` moves from ``done`` to ``total``.

    Use it as a context manager, so that it ends before an error is printed.
    """
    seldom = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES_OF_A_LOG
    return tqdm(items, doing, total, initial=done, unit=unit, mininterval=seldom, maxinterval=max(10.0, seldom))


def in_threads(
    function: Callable[[Source], Result], sources: Iterable[Source], workers: int | None = None
) -> Generator[Result]:
    """``map(function, sources)`` in threads, in order, holding few results at a time. Closing it stops the threads.

    ``workers`` is the number of threads; by default one per core.
    """
    workers = workers or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    remaining = iter(sources)
    executor = ThreadPoolExecutor(workers)
    try:
        waiting.extend(executor.submit(function, source) for source in islice(remaining, 4 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(executor.submit(function, source) for source in islice(remaining, 1))
    finally:
        executor.shutdown(cancel_futures=True)
