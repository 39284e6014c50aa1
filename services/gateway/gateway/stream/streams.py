"""All open streams: how many there may be, and their end when the gateway ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.metrics import Metrics
from gateway.stream.closing import Closing
from gateway.stream.turns import Turns

SHUTTING_DOWN = "the gateway is shutting down; connect again in a moment"


class Ending(Protocol):
    """A stream that can be told to end."""

    def end(self) -> None:
        """Answer what is being worked on, say what there was, and close."""


class Streams:
    """At most ``max_streams``, which take turns at ``at_once`` inferences.

    A stream whose client still owes a key has no place among them, so that strangers take none away.
    """

    def __init__(self, max_streams: int, at_once: int, metrics: Metrics) -> None:
        self.turns = Turns(at_once)
        self._max_streams = max_streams
        self._metrics = metrics
        self._open: set[Ending] = set()
        self._placed: set[Ending] = set()
        self._is_closing = False
        self._changed = asyncio.Event()

    @contextmanager
    def enter(self, stream: Ending) -> Iterator[None]:
        """Have ``stream`` told when the gateway ends, and give its place back when it ends itself.

        Raises:
            Closing: the gateway is shutting down.
        """
        if self._is_closing:
            raise Closing(1012, SHUTTING_DOWN)
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)
            self._placed.discard(stream)
            self._metrics.streams.set(len(self._placed))
            self._changed.set()

    def take_place(self, stream: Ending) -> None:
        """Count ``stream`` from here on.

        Raises:
            Closing: there are too many.
        """
        if len(self._placed) >= self._max_streams:
            raise Closing(1013, f"{len(self._placed)} streams are open, which is the most; try again in a moment")
        self._placed.add(stream)
        self._metrics.streams.set(len(self._placed))

    async def close(self) -> None:
        """Tell every stream to end, let no other begin, and wait until all are gone."""
        self._is_closing = True
        for stream in self._open:
            stream.end()
        while self._open:
            self._changed.clear()
            await self._changed.wait()
