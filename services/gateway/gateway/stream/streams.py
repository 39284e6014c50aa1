"""All open streams: how many there may be, and their end when the gateway ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.metrics import Metrics
from gateway.stream.turns import Turns

SHUTTING_DOWN = "the gateway is shutting down; connect again in a moment"


class Ending(Protocol):
    """A stream that can be told to end."""

    def end(self) -> None:
        """Answer what is being worked on, say what there was, and close."""


class Refused(Exception):  # noqa: N818 - as it reads after `raise`
    """No stream for this client: the close code, and the reason that goes with it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Streams:
    """At most ``max_streams``, which take turns at ``at_once`` inferences."""

    def __init__(self, max_streams: int, at_once: int, metrics: Metrics) -> None:
        self.turns = Turns(at_once)
        self._max_streams = max_streams
        self._metrics = metrics
        self._open: set[Ending] = set()
        self._is_closing = False
        self._changed = asyncio.Event()

    @contextmanager
    def enter(self, stream: Ending) -> Iterator[None]:
        """Count ``stream`` as open.

        Raises:
            Refused: there are too many, or the gateway is shutting down.
        """
        if self._is_closing:
            raise Refused(1012, SHUTTING_DOWN)
        if len(self._open) >= self._max_streams:
            raise Refused(1013, f"{len(self._open)} streams are open, which is the most; try again in a moment")
        self._open.add(stream)
        self._metrics.streams.set(len(self._open))
        try:
            yield
        finally:
            self._open.discard(stream)
            self._metrics.streams.set(len(self._open))
            self._changed.set()

    async def close(self) -> None:
        """Tell every stream to end, let no other begin, and wait until all are gone."""
        self._is_closing = True
        for stream in self._open:
            stream.end()
        while self._open:
            self._changed.clear()
            await self._changed.wait()
