"""Admission control: a bounded number of images in work, a bounded number waiting, the rest refused."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal, get_args

from gateway.errors import Overloaded

# What waits for a slot: images of requests, or frames of streams.
Line = Literal["requests", "frames"]


class Place:
    """An admitted request, and the bytes of its body that are in memory."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self.held_bytes = 0

    def hold(self, total_bytes: int) -> None:
        """Reserve memory for ``total_bytes`` of the body, before that much of it is kept.

        Raises:
            Overloaded: all requests together would hold too much.
        """
        more = max(0, total_bytes - self.held_bytes)
        self._admission.take_bytes(more)
        self.held_bytes += more


class Slot:
    """One of the images in work, and the pixels counted for it."""

    def __init__(self, admission: "Admission", pixels: int) -> None:
        self._admission = admission
        self.pixels = pixels

    def keep(self, pixels: int) -> None:
        """Give back all but ``pixels``: the image is smaller than was reserved."""
        self._admission.return_pixels(self.pixels - pixels)
        self.pixels = pixels


class Admission:
    """Two limits: :meth:`enter` before the body is read, :meth:`slot` before it is decoded. Both bound memory.

    So a client that sends slowly occupies a place, never a slot. Slots go first come, first served, among requests and
    among the streams' frames; where both wait, they alternate.

    Args:
        max_in_flight: number of slots.
        max_waiting: number of places beyond the slots.
        max_held_bytes: of all bodies in memory together, as sent.
        max_pixels: of all images in slots together. A larger image gets a slot when all others are free.
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
        """Whether a slot is free and nothing waits for it."""
        waiting = (turn for queue in self._queues.values() for turn, _ in queue)
        return all(turn.cancelled() for turn in waiting) and self._fits(1)

    @contextmanager
    def enter(self) -> Iterator[Place]:
        """Admit a request for the time of the block.

        Raises:
            Overloaded: all places are taken.
        """
        if self.entered >= self._places:
            raise Overloaded(
                f"{self.entered} requests are in progress or waiting, the maximum; try again in a moment",
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
        """Count ``count`` more bytes as held in memory.

        Raises:
            Overloaded: that is more than ``max_held_bytes``.
        """
        if count and self.held_bytes + count > self._max_held_bytes:
            raise Overloaded(
                f"the images being sent or waiting hold {self.held_bytes} bytes, and {count} more would exceed "
                f"the maximum of {self._max_held_bytes}; try again in a moment",
                limit_bytes=self._max_held_bytes,
            )
        self.held_bytes += count

    @asynccontextmanager
    async def slot(self, pixels: int, line: Line = "requests") -> AsyncIterator[Slot]:
        """Wait for a slot for an image of ``pixels`` pixels, and hold it for the time of the block."""
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
        """Count ``count`` fewer pixels as in work."""
        self._pixels -= count
        self._grant()

    async def _wait(self, pixels: int, line: Line) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queues[line].append((turn, pixels))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # cancelled at the moment it was granted
                self._release(pixels)
            else:
                self._grant()  # a large image may have blocked smaller ones behind it
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
        """The line that was not served last, unless it is empty."""
        waiting = [line for line, queue in self._queues.items() if queue]
        return max(waiting, key=lambda line: line != self._served_last, default=None)
