"""How much the gateway takes on: a bounded number working, a bounded number waiting, the rest refused."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal, get_args

from gateway.errors import Overloaded

# Where one waits for a slot: requests' images, or the streams' frames.
Line = Literal["requests", "frames"]


class Place:
    """A request's place among those let in, and the bytes it holds there."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self.held_bytes = 0

    def hold(self, total_bytes: int) -> None:
        """Have the request's share raised to ``total_bytes``, before that much is kept of it.

        Raises:
            Overloaded: all requests together would hold too much.
        """
        more = max(0, total_bytes - self.held_bytes)
        self._admission.take_bytes(more)
        self.held_bytes += more


class Slot:
    """One of the places at work, and the pixels that are counted to it."""

    def __init__(self, admission: "Admission", pixels: int) -> None:
        self._admission = admission
        self.pixels = pixels

    def keep(self, pixels: int) -> None:
        """Give back all but ``pixels``: the image turned out to be smaller than was reckoned with."""
        self._admission.return_pixels(self.pixels - pixels)
        self.pixels = pixels


class Admission:
    """Two doors: :meth:`enter` before the body is read, :meth:`slot` before it is decoded. Both bound memory.

    A client that sends slowly so holds one of the places, never a slot. Slots are given first come, first served, among
    requests and among the streams' frames; where both wait, to one of each in turn.

    Args:
        max_in_flight: slots.
        max_waiting: places beyond those.
        max_held_bytes: of all bodies together, as sent.
        max_pixels: of all images in slots together. One larger than that works alone.
    """

    def __init__(self, max_in_flight: int, max_waiting: int, max_held_bytes: int, max_pixels: int) -> None:
        self.in_flight = 0
        self.entered = 0
        self.held_bytes = 0
        self.is_closing = False
        self._places = max_in_flight + max_waiting
        self._max_in_flight = max_in_flight
        self._max_held_bytes = max_held_bytes
        self._max_pixels = max_pixels
        self._pixels = 0
        self._queues: dict[Line, deque[tuple[asyncio.Future[None], int]]] = {line: deque() for line in get_args(Line)}
        self._served_last: Line = "frames"

    @property
    def is_idle(self) -> bool:
        """Whether there is a slot that nobody waits for."""
        waiting = (turn for queue in self._queues.values() for turn, _ in queue)
        return all(turn.cancelled() for turn in waiting) and self._fits(1)

    @contextmanager
    def enter(self) -> Iterator[Place]:
        """Hold a place for a request.

        Raises:
            Overloaded: all places are taken.
        """
        if self.entered >= self._places:
            raise Overloaded(
                f"{self.entered} requests are being worked on or waiting, which is the most; try again in a moment",
                limit=self._places,
            )
        place = Place(self)
        self.entered += 1
        try:
            yield place
        finally:
            self.entered -= 1
            self.held_bytes -= place.held_bytes

    def take_bytes(self, count: int) -> None:
        """Count ``count`` bytes more as held.

        Raises:
            Overloaded: that is too much.
        """
        if count and self.held_bytes + count > self._max_held_bytes:
            raise Overloaded(
                f"the images being sent or waiting hold {self.held_bytes} bytes, and {count} more would be over "
                f"{self._max_held_bytes}, which is the most; try again in a moment",
                limit_bytes=self._max_held_bytes,
            )
        self.held_bytes += count

    @asynccontextmanager
    async def slot(self, pixels: int, line: Line = "requests") -> AsyncIterator[Slot]:
        """Wait for, then hold, one of the places at work, for an image of that many pixels."""
        if any(self._queues.values()) or not self._fits(pixels):
            await self._wait(pixels, line)
        else:
            self._take(pixels)
        held = Slot(self, pixels)
        try:
            yield held
        finally:
            self._release(held.pixels)

    def return_pixels(self, count: int) -> None:
        """Count ``count`` pixels less as being worked on."""
        self._pixels -= count
        self._grant()

    async def _wait(self, pixels: int, line: Line) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queues[line].append((turn, pixels))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given up in the very moment it was granted
                self._release(pixels)
            else:
                self._grant()  # a large image may have held up smaller ones behind it
            raise

    def _fits(self, pixels: int) -> bool:
        return self.in_flight == 0 or (
            self.in_flight < self._max_in_flight and self._pixels + pixels <= self._max_pixels
        )

    def _take(self, pixels: int) -> None:
        self.in_flight += 1
        self._pixels += pixels

    def _release(self, pixels: int) -> None:
        self.in_flight -= 1
        self._pixels -= pixels
        self._grant()

    def _grant(self) -> None:
        while line := self._next_line():
            turn, pixels = self._queues[line][0]
            if not turn.cancelled():
                if not self._fits(pixels):
                    return
                self._take(pixels)
                turn.set_result(None)
                self._served_last = line
            self._queues[line].popleft()

    def _next_line(self) -> Line | None:
        """The line that was not served last, unless nobody stands in it."""
        waiting = [line for line, queue in self._queues.items() if queue]
        return max(waiting, key=lambda line: line != self._served_last, default=None)
