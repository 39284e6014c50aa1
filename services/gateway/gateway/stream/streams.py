"""All open streams: how many there may be, how each ends, and how all end when the gateway does."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol, Self

from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from gateway.metrics import Metrics
from gateway.stream.turns import Turns

_log = logging.getLogger(__name__)

_KEY = "streams"

SHUTTING_DOWN = "the gateway is shutting down; connect again in a moment"

# What sending raises after the client has disconnected: the first time, and later.
DISCONNECTED = (WebSocketDisconnect, WebSocketDisconnected)

# The capacity of a close frame (RFC 6455, 5.5).
_MAX_REASON_BYTES = 123


class Closing(Exception):  # noqa: N818 - as it reads after `raise`
    """The stream ends.

    Attributes:
        code: the WebSocket close code.
        reason: one sentence, cut to what a close frame holds.
        by_client: the client, or the network, has ended it already.
    """

    def __init__(self, code: int, reason: str, *, by_client: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self.by_client = by_client


def closing_of(ended: asyncio.Task[Any]) -> Closing:
    """How a stream ends, one of whose tasks ended with an exception."""
    error = ended.exception()
    if isinstance(error, Closing):
        return error
    if isinstance(error, DISCONNECTED):
        return Closing(1006, "", by_client=True)
    _log.error("a stream failed", exc_info=error)
    return Closing(1011, "internal error of the gateway; its log has it")


class OpenStream(Protocol):
    """What :class:`Streams` needs of a stream."""

    def end(self) -> None:
        """Finish the frames in work, send the summary, and close."""


class Streams:
    """At most ``max_streams``, excluding unauthenticated ones, which so cannot occupy the others' places.

    Args:
        max_streams: open at once.
        at_once: inferences of all streams at once, for which they take turns.
        metrics: counts the streams that are open.
    """

    def __init__(self, max_streams: int, at_once: int, metrics: Metrics) -> None:
        self.turns = Turns(at_once)
        self._max_streams = max_streams
        self._metrics = metrics
        self._open: set[OpenStream] = set()
        self._counted: set[OpenStream] = set()
        self._is_closing = False
        self._changed = asyncio.Event()

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The application's: ``state`` is what its lifespan yielded, which an ASGI scope has as ``scope["state"]``."""
        found: Self = state[_KEY]
        return found

    def store_in(self, state: MutableMapping[str, Any]) -> None:
        """Have :meth:`of` find these."""
        state[_KEY] = self

    @contextmanager
    def register(self, stream: OpenStream) -> Iterator[None]:
        """Have ``stream`` ended with the gateway, until the block ends.

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
            self._counted.discard(stream)
            self._metrics.streams.set(len(self._counted))
            self._changed.set()

    def count(self, stream: OpenStream) -> None:
        """Count a registered ``stream``, whose client is authorized, towards ``max_streams``.

        Raises:
            Closing: there are as many.
        """
        if len(self._counted) >= self._max_streams:
            raise Closing(1013, f"{len(self._counted)} streams are open, the maximum; try again in a moment")
        self._counted.add(stream)
        self._metrics.streams.set(len(self._counted))

    async def close(self) -> None:
        """End every stream, refuse new ones, and wait until all have ended."""
        self._is_closing = True
        for stream in self._open:
            stream.end()
        while self._open:
            self._changed.clear()
            await self._changed.wait()
