"""Progress bars: what is done, how fast, and the time left; on standard error, for results may go through a pipe."""

import sys

from tqdm import tqdm

# A log file keeps every redraw, a terminal none.
_SECONDS_BETWEEN_LINES_OF_A_LOG = 15.0


def progress(doing: str, unit: str, total: int | None, done: int = 0) -> tqdm:
    """A bar to be moved by ``update()`` from ``done`` to ``total``, in a ``with``."""
    seldom = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES_OF_A_LOG
    return tqdm(desc=doing, total=total, initial=done, unit=unit, mininterval=seldom, maxinterval=max(10.0, seldom))
