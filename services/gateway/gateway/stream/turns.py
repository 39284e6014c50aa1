"""Which stream's frame is inferred next: streams take turns, and each submits its newest frame at the last moment.

A frame in serving's queue ages there, and no newer one can replace it. So only as many frames as serving works on at
once are submitted; one more is decoded, and only when an inference is about to end: it is fresh and ready when its turn
comes, and serving is never idle.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from gateway.flow.timings import Timings

# Weight of the newest duration in the exponential mean.
_SMOOTHING = 0.25
# An inference may end early and decoding may take longer than usual; an idle model costs more than a frame that is a
# few milliseconds older.
_LEAD, _LEAD_S = 2.0, 0.002


@dataclass
class Pace:
    """Mean seconds of one stream's frames: to prepare one for serving, and to infer it. None: not known yet."""

    prepare_s: float | None = None
    infer_s: float | None = None

    def add_prepared(self, seconds: float) -> None:
        """Include one frame in the mean."""
        self.prepare_s = _smoothed(self.prepare_s, seconds)

    def add_inferred(self, seconds: float) -> None:
        """Include one frame in the mean."""
        self.infer_s = _smoothed(self.infer_s, seconds)


def _smoothed(mean: float | None, newest: float) -> float:
    return newest if mean is None else mean + _SMOOTHING * (newest - mean)


class Turns:
    """Gives out each :class:`Turn` first come, first served; since a stream requests one at a time, streams alternate.

    Args:
        at_once: frames of all streams that are in serving at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.inferring: set[Turn] = set()
        self.next_up = asyncio.Lock()  # asyncio's locks are fair
        self.freed = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Whether serving could start on one more frame now."""
        return len(self.inferring) < self.at_once

    async def about_to_be_free(self, lead_s: float) -> None:
        """Return ``lead_s`` seconds before an inference is expected to end, or when one has ended."""
        while not self.is_free:
            known = [turn.ends_at for turn in self.inferring if turn.ends_at is not None]
            left_s = min(known) - lead_s - time.perf_counter() if known else None
            if left_s is not None and left_s <= 0:
                return
            self.freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self.freed.wait()

    async def free(self) -> None:
        """Return when serving can start on one more frame."""
        while not self.is_free:
            self.freed.clear()
            await self.freed.wait()


class Turn:
    """One frame's turn. Entering it (``async with``) waits until it is next up and it is time to take a frame.

    :attr:`is_over` is set once another turn may be next up; :attr:`is_inferring` while serving works on the frame.
    """

    def __init__(self, turns: Turns, pace: Pace) -> None:
        self.is_over = asyncio.Event()
        self.is_inferring = False
        self.ends_at: float | None = None
        self._turns = turns
        self._pace = pace
        self._since = 0.0

    async def __aenter__(self) -> Self:
        await self._turns.next_up.acquire()
        try:
            await self._turns.about_to_be_free(_LEAD * (self._pace.prepare_s or 0) + _LEAD_S)
        except BaseException:
            self._give_way()
            raise
        self._since = time.perf_counter()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._give_way()

    @asynccontextmanager
    async def inference(self, timings: Timings) -> AsyncIterator[None]:
        """The frame is ready: wait until serving is, and let another turn be next up."""
        self._pace.add_prepared(time.perf_counter() - self._since)
        with timings.measure("queue"):
            await self._turns.free()
        began_at = time.perf_counter()
        self.ends_at = None if self._pace.infer_s is None else began_at + self._pace.infer_s
        self.is_inferring = True
        self._turns.inferring.add(self)
        self._give_way()
        try:
            yield
        finally:
            self._pace.add_inferred(time.perf_counter() - began_at)
            self.is_inferring = False
            self._turns.inferring.discard(self)
            self._turns.freed.set()

    def _give_way(self) -> None:
        if not self.is_over.is_set():
            self.is_over.set()
            self._turns.next_up.release()
