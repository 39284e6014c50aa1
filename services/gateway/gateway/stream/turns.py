"""Whose frame is inferred next: the streams take turns, and each hands over its newest frame at the last moment.

A frame that waits in serving's queue grows old there, and no newer one can take its place. So only as many frames as
serving works on at once are handed over; one more is decoded, and not before an inference is about to end: it is
fresh and at hand when its turn comes, and serving has no pause.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

# Of the frames before, this share of the newest one's duration enters the mean.
_SMOOTHING = 0.25
# An inference may end early and decoding take longer than usual; a pause of the model costs more than a frame that is
# some milliseconds older.
_LEAD, _LEAD_S = 2.0, 0.002


@dataclass
class Pace:
    """What one stream's frames usually take, in seconds: to be made ready for serving, and there."""

    prepare_s: float = 0.0
    infer_s: float = 0.0

    def prepared(self, seconds: float) -> None:
        """Learn from one frame."""
        self.prepare_s += _SMOOTHING * (seconds - self.prepare_s)

    def inferred(self, seconds: float) -> None:
        """Learn from one frame."""
        self.infer_s += _SMOOTHING * (seconds - self.infer_s)


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
            left_s = min(turn.ends_at for turn in self.inferring) - lead_s - time.perf_counter()
            if left_s <= 0:
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
        self.ends_at = 0.0
        self._turns = turns
        self._pace = pace
        self._since = 0.0

    async def __aenter__(self) -> Self:
        await self._turns.next_up.acquire()
        try:
            await self._turns.about_to_be_free(_LEAD * self._pace.prepare_s + _LEAD_S)
        except BaseException:
            self._give_way()
            raise
        self._since = time.perf_counter()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()
        self._give_way()

    async def before_inference(self) -> None:
        """The frame is ready: wait until serving is, and let another be next up."""
        if self.is_inferring:  # serving is asked a second time, as a new version has come
            return
        self._pace.prepared(time.perf_counter() - self._since)
        await self._turns.free()
        self._since = time.perf_counter()
        self.ends_at = self._since + self._pace.infer_s
        self.is_inferring = True
        self._turns.inferring.add(self)
        self._give_way()

    def after_inference(self) -> None:
        """Serving has answered."""
        self._pace.inferred(time.perf_counter() - self._since)
        self._leave()

    def _leave(self) -> None:
        if self.is_inferring:
            self.is_inferring = False
            self._turns.inferring.discard(self)
            self._turns.freed.set()

    def _give_way(self) -> None:
        if not self.is_over.is_set():
            self.is_over.set()
            self._turns.next_up.release()
