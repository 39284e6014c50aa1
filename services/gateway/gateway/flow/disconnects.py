"""Whether the client is still connected: no work is begun for one that has disconnected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, Self

from starlette.types import Receive

from gateway.errors import ClientGone
from gateway.flow.timings import Timings


class InferenceGate(Protocol):
    """Decides when, and whether, an image that is ready may be sent to serving."""

    def inference(self, timings: Timings) -> AbstractAsyncContextManager[None]:
        """Entered with the image ready, once serving may be called; left when serving has answered."""


class ClientConnection:
    """Watches, from when the whole body has been read, for the connection to close. Used as ``async with``."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_closed = False
        self._waits: set[asyncio.Timeout] = set()

    async def __aenter__(self) -> Self:
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watcher.cancel()
        with suppress(asyncio.CancelledError):
            await self._watcher

    def require_open(self) -> None:
        """Return while the client is connected.

        Raises:
            ClientGone: it has disconnected.
        """
        if self._is_closed:
            raise ClientGone("the client closed the connection before its request was worked on")

    @asynccontextmanager
    async def inference(self, _: Timings) -> AsyncIterator[None]:
        """:meth:`require_open` before and after: an inference that has begun runs on, and keeps its slot."""
        self.require_open()
        yield
        self.require_open()

    @asynccontextmanager
    async def cancels_wait(self) -> AsyncIterator[None]:
        """Cancel the block when the client disconnects.

        Raises:
            ClientGone: it did.
        """
        self.require_open()
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            if not wait.expired():
                raise
            self.require_open()

    async def _watch(self) -> None:
        # After the body this is the only message to come; until then the server holds it back.
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_closed = True
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())
