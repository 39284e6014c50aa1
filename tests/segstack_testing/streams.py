"""A client of /stream with ``websockets``, written from PROTOCOL.md alone."""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, Self

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from segstack_testing.waiting import scaled

_FIELDS = (
    "version", "kind", "flags", "sequence", "captured_at", "decode", "queue", "infer", "encode", "dropped", "width",
    "height",
)  # fmt: skip


class Reply(SimpleNamespace):
    """A binary message of the gateway: the header's fields by name, and the ``payload``."""

    def __init__(self, message: bytes) -> None:
        super().__init__(**dict(zip(_FIELDS, struct.unpack_from("<BBHIdIIIIIHH", message), strict=True)))
        self.payload = message[40:]

    @property
    def mask(self) -> np.ndarray:
        """The payload as class ids, uint8 [height,width]."""
        return np.frombuffer(zlib.decompress(self.payload), np.uint8).reshape(self.height, self.width)

    @property
    def error(self) -> str | None:
        """The error's code, or None for a reply that is no error."""
        return json.loads(self.payload)["error"]["code"] if self.kind == 4 else None


class Stream:
    """An open stream; every wait for the gateway has a limit."""

    def __init__(self, connection: ClientConnection, url: str) -> None:
        self.connection = connection
        self.configured: dict[str, Any] | None = None
        self._url = url

    @asynccontextmanager
    async def another(self) -> AsyncIterator[Self]:
        """One more stream of the same gateway."""
        async with connect(self._url, proxy=None, max_size=None) as connection:
            yield type(self)(connection, self._url)

    async def send(self, image: bytes, sequence: int = 0, captured_at: float = 0.0) -> None:
        """Send a frame."""
        await self.connection.send(struct.pack("<BBHId", 1, 1, 0, sequence, captured_at) + image)

    async def send_text(self, **message: Any) -> None:
        """Send a JSON message."""
        await self.connection.send(json.dumps(message))

    async def receive(self) -> Any:
        """The next `Reply`, or the next JSON message (a dict) that is not ``configured``.

        ``configured`` messages on the way are kept in ``self.configured``.
        """
        while isinstance(message := await self._receive(), str):
            message = json.loads(message)
            if message["type"] != "configured":
                return message
            self.configured = message
        return Reply(message)

    async def configure(self, **wanted: Any) -> dict[str, Any]:
        """Send ``configure`` and give the next message."""
        await self.send_text(type="configure", **wanted)
        message = json.loads(await self._receive())
        if message["type"] == "configured":
            self.configured = message
        return message

    async def end(self) -> Any:
        """Send ``end`` and give the next message, which is the summary if no reply is under way."""
        await self.send_text(type="end")
        return await self.receive()

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the close and give its code and reason; messages before it are dropped."""
        with suppress(ConnectionClosed):
            while True:
                await self._receive()
        return self.connection.close_code, self.connection.close_reason

    async def _receive(self) -> Any:
        return await asyncio.wait_for(self.connection.recv(), scaled(15))


@asynccontextmanager
async def open_stream(client: httpx.Client, **options: Any) -> AsyncIterator[Stream]:
    """A new stream of the client's gateway; ``options`` are those of ``websockets.connect``."""
    url = f"ws://127.0.0.1:{client.base_url.port}/stream"
    async with asyncio.timeout(scaled(30)), connect(url, proxy=None, max_size=None, **options) as connection:
        yield Stream(connection, url)
