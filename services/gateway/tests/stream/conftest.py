"""What the tests of streams share: a client written from PROTOCOL.md alone."""

import asyncio
import json
import struct
import zlib
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


class Reply(SimpleNamespace):
    def __init__(self, message):
        names = "version kind flags sequence captured_at decode queue infer encode dropped width height"
        super().__init__(**dict(zip(names.split(), struct.unpack_from("<BBHIdIIIIIHH", message), strict=True)))
        self.payload = message[40:]

    @property
    def mask(self):
        return np.frombuffer(zlib.decompress(self.payload), np.uint8).reshape(self.height, self.width)

    @property
    def error(self):
        return json.loads(self.payload)["error"]["code"] if self.kind == 4 else None


class Stream:
    """What PROTOCOL.md tells a client to do, with ``websockets``."""

    def __init__(self, connection, url):
        self.connection = connection
        self.configured = None
        self._url = url

    @asynccontextmanager
    async def another(self):
        """One more stream of the same gateway."""
        async with connect(self._url, proxy=None, max_size=None) as connection:
            yield Stream(connection, self._url)

    async def send(self, image, sequence=0, captured_at=0.0):
        await self.connection.send(struct.pack("<BBHId", 1, 1, 0, sequence, captured_at) + image)

    async def say(self, **message):
        await self.connection.send(json.dumps(message))

    async def hear(self):
        """The next text message that is not about who answers, a dict, or else the next reply."""
        while isinstance(message := await asyncio.wait_for(self.connection.recv(), 30), str):
            message = json.loads(message)
            if message["type"] != "configured":
                return message
            self.configured = message
        return Reply(message)

    async def configure(self, **wanted):
        await self.say(type="configure", **wanted)
        message = json.loads(await asyncio.wait_for(self.connection.recv(), 30))
        if message["type"] == "configured":
            self.configured = message
        return message

    async def end(self):
        await self.say(type="end")
        return await self.hear()

    async def closed(self):
        """Close code and reason, whatever comes before."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.connection.recv(), 30)
        return self.connection.close_code, self.connection.close_reason


@pytest.fixture(scope="session")
def reply_of():
    """``reply_of(message)``: a reply's header by name, its ``payload``, and that read as a ``mask`` or an ``error``."""
    return Reply


@pytest.fixture
def converse():
    """``converse(client, talk)``: awaits ``talk(stream)`` on a new stream of that gateway and gives its result."""

    def run(client, talk, **options):
        async def opened():
            url = f"ws://127.0.0.1:{client.base_url.port}/stream"
            async with connect(url, proxy=None, max_size=None, **options) as connection:
                return await asyncio.wait_for(talk(Stream(connection, url)), 60)

        return asyncio.run(opened())

    return run
