"""Where a request's time went, by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from gateway.flow import tracing

Stage = Literal["decode", "queue", "infer", "encode"]


class Timings:
    """Seconds per stage. A stage entered twice adds up; one within another is counted to the inner alone."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(get_args(Stage), 0.0)
        self._running: list[Stage] = []
        self._since = 0.0

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Count the block's time to ``stage``, and trace it as one."""
        self._settle()
        self._running.append(stage)
        try:
            with tracing.span(stage):
                yield
        finally:
            self._settle()
            self._running.pop()

    def server_timing(self) -> str:
        """The value of a Server-Timing header (W3C), in milliseconds."""
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in self.seconds.items())

    def _settle(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
