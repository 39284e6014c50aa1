"""How many requests the gateway takes on: a bounded number working, a bounded number waiting, the rest refused."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from gateway.errors import Overloaded


class Admission:
    """Two doors: :meth:`enter` before the body is read, which bounds memory, and :meth:`slot` before work begins.

    A client that sends slowly so holds one of the places, never a slot. Slots are given first come, first served.
    """

    def __init__(self, max_in_flight: int, max_waiting: int) -> None:
        self.in_flight = 0
        self.entered = 0
        self._places = max_in_flight + max_waiting
        self._slots = asyncio.Semaphore(max_in_flight)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place for a request.

        Raises:
            Overloaded: all places are taken.
        """
        if self.entered >= self._places:
            raise Overloaded(
                f"{self.entered} requests are being worked on or waiting, which is the most; try again in a moment",
                limit=self._places,
            )
        self.entered += 1
        try:
            yield
        finally:
            self.entered -= 1

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for, then hold, one of the places at work."""
        async with self._slots:
            self.in_flight += 1
            try:
                yield
            finally:
                self.in_flight -= 1
