"""Whether the one who asked is still there: nothing is worked out for somebody who has hung up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, Self

from starlette.types import Receive

from gateway.errors import ClientGone
from gateway.flow.timings import Timings


class Asker(Protocol):
    """For whom an image is segmented."""

    def inference(self, timings: Timings) -> AbstractAsyncContextManager[None]:
        """Entered with the image ready, when serving may be asked; left once it has answered."""


class Caller:
    """Listens, from when the whole body has been read, for the connection to close. Used as ``async with``."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self._waiting: set[asyncio.Timeout] = set()

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening

    def check(self) -> None:
        """Return while the caller is there.

        Raises:
            ClientGone: not any more.
        """
        if self._is_gone:
            raise ClientGone("the client closed the connection before its turn came")

    @asynccontextmanager
    async def inference(self, _: Timings) -> AsyncIterator[None]:
        """:meth:`check` first and last: what serving has begun goes on, whoever hangs up, and so must the slot."""
        self.check()
        yield
        self.check()

    @asynccontextmanager
    async def waits(self) -> AsyncIterator[None]:
        """Cut the block short when the caller hangs up.

        Raises:
            ClientGone: it did.
        """
        self.check()
        try:
            async with asyncio.timeout(None) as patience:
                self._waiting.add(patience)
                try:
                    yield
                finally:
                    self._waiting.discard(patience)
        except TimeoutError:
            if not patience.expired():
                raise
            self.check()

    async def _listen(self) -> None:
        # After the body, the only message there is; until then the server holds it back.
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        for patience in self._waiting:
            patience.reschedule(asyncio.get_running_loop().time())
