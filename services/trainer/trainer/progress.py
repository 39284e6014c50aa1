"""Progress bars: what is done, how fast, and the time left."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

# A log file keeps every redraw, a terminal none.
_SECONDS_BETWEEN_LINES_OF_A_LOG = 15.0


def progress(items: Iterable[Any] | None, doing: str, unit: str, total: int | None = None, done: int = 0) -> tqdm:
    """A bar over ``items``, or one to be moved by ``update()`` from ``done`` to ``total``.

    Use it in a ``with``, so that an error ends it before the error is printed.
    """
    seldom = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES_OF_A_LOG
    return tqdm(items, doing, total, initial=done, unit=unit, mininterval=seldom, maxinterval=max(10.0, seldom))
