"""Whose frame is inferred next: the streams take turns, and each hands over its newest frame at the last moment.

A frame that waits in serving's queue grows old there, and no newer one can take its place. So only as many frames as
serving works on at once are handed over; one more is decoded, and not before an inference is about to end: it is
fresh and at hand when its turn comes, and serving has no pause.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from gateway.flow.timings import Timings

# Of the frames before, this share of the newest one's duration enters the mean.
_SMOOTHING = 0.25
# An inference may end early and decoding take longer than usual; a pause of the model costs more than a frame that is
# some milliseconds older.
_LEAD, _LEAD_S = 2.0, 0.002


@dataclass
class Pace:
    """What one stream's frames usually take, in seconds: to be made ready for serving, and there. None: not known."""

    prepare_s: float | None = None
    infer_s: float | None = None

    def prepared(self, seconds: float) -> None:
        """Learn from one frame."""
        self.prepare_s = _smoothed(self.prepare_s, seconds)

    def inferred(self, seconds: float) -> None:
        """Learn from one frame."""
        self.infer_s = _smoothed(self.infer_s, seconds)


def _smoothed(mean: float | None, newest: float) -> float:
    return newest if mean is None else mean + _SMOOTHING * (newest - mean)


class Turns:
    """Hands out :class:`Turn`: first come, first served, and as a stream asks for one at a time, each in turn.

    Args:
        at_once: frames of all streams that serving is given at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.inferring: set[Turn] = set()
        self.next_up = asyncio.Lock()  # asyncio's are fair
        self.freed = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Whether serving has nothing to do for one more frame."""
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
        """Return when serving may be given one more frame."""
        while not self.is_free:
            self.freed.clear()
            await self.freed.wait()


class Turn:
    """One frame's way to serving. Entered (``async with``) to be next up, when it is time to take a frame.

    :attr:`is_over` once another may be next up, :attr:`is_inferring` while serving works on it.
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
        """The frame is ready: wait until serving is, and let another be next up."""
        self._pace.prepared(time.perf_counter() - self._since)
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
            self._pace.inferred(time.perf_counter() - began_at)
            self.is_inferring = False
            self._turns.inferring.discard(self)
            self._turns.freed.set()

    def _give_way(self) -> None:
        if not self.is_over.is_set():
            self.is_over.set()
            self._turns.next_up.release()
