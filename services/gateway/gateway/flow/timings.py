"""Where a request's time went, by stage."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, get_args

from gateway.flow import tracing

Stage = Literal["decode", "queue", "infer", "encode"]


class Timings:
    """Seconds per stage. A stage entered twice adds up; time in a nested stage counts for the nested one alone."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(get_args(Stage), 0.0)
        self._running: list[Stage] = []
        self._since = 0.0

    def measure(self, stage: Stage) -> AbstractContextManager[None]:
        """Count the block's time to ``stage``, and trace it as a span of that name."""
        return _Measurement(self, stage)

    def server_timing(self) -> str:
        """The value of a Server-Timing header (W3C), in milliseconds."""
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in self.seconds.items())

    def _count_running(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


class _Measurement(AbstractContextManager[None]):
    def __init__(self, timings: Timings, stage: Stage) -> None:
        self._timings = timings
        self._stage = stage
        self._span = tracing.span(stage)

    def __enter__(self) -> None:
        self._timings._count_running()
        self._timings._running.append(self._stage)
        self._span.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, traceback)
        self._timings._count_running()
        self._timings._running.pop()
