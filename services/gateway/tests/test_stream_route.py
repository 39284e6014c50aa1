"""WS /stream as its clients see it."""

import asyncio
import json
import struct
import zlib

import numpy as np
import pytest
from websockets.asyncio.client import connect

@pytest.fixture
def stream(client):
    def open_stream(**o):
        return connect(f"ws://127.0.0.1:{client.base_url.port}/stream", proxy=None, **o)
    return open_stream

def test_a(stream, jpeg, client):
    async def run():
        async with stream() as ws:
            await ws.send(json.dumps({"type":"configure"}))
            print(await ws.recv())
            await ws.send(struct.pack("<BBHId",1,1,0,7,1.5)+jpeg)
            r = await ws.recv()
            print(struct.unpack("<BBHIdIIIIIHH", r[:40]))
            print(np.unique(np.frombuffer(zlib.decompress(r[40:]),np.uint8)))
            await ws.send(struct.pack("<BBHId",1,1,0,8,1.5)+b"abc")
            print(await ws.recv())
            await ws.send("{")
            print(await ws.recv())
            await ws.send(json.dumps({"type":"configure","output":"overlay","clas":1}))
            print(await ws.recv())
            await ws.send(json.dumps({"type":"configure","output":"overlay","classes":["car",2]}))
            print(await ws.recv())
            await ws.send(struct.pack("<BBHId",1,1,0,9,1.5)+jpeg)
            r = await ws.recv()
            print(struct.unpack("<BBHIdIIIIIHH", r[:40]), r[40:44])
            await ws.send(json.dumps({"type":"end"}))
            print(await ws.recv())
            try: await ws.recv()
            except Exception as e: print(repr(e))
    asyncio.run(run())
    print([l for l in client.get("/metrics").text.splitlines() if "frame" in l or "stream" in l])
