"""How many frames are held while replies wait to be sent."""

import asyncio
import gc

import pytest
from starlette.websockets import WebSocket

from gateway.stream.wire import Frame
from segstack_testing.gateways import metric
from segstack_testing.streams import open_stream
from segstack_testing.waiting import wait_until_async


@pytest.mark.anyio
async def test_frame_is_released_once_it_was_segmented(make_gateway, serving, jpeg, gate, monkeypatch):
    client = make_gateway()
    send = WebSocket.send_bytes

    async def send_late(websocket, data):
        await asyncio.to_thread(gate.wait, 30)
        await send(websocket, data)

    def held():
        return sorted(thing.message[4] for thing in gc.get_objects() if type(thing) is Frame)

    monkeypatch.setattr(WebSocket, "send_bytes", send_late)
    gc.collect()  # frames of earlier tests
    async with open_stream(client) as stream:
        for sequence in (1, 2):  # segmented, and their replies wait
            await stream.send(jpeg, sequence)
            await wait_until_async(lambda: len(serving.inferences) == sequence)  # noqa: B023
        for sequence in (3, 4):
            await stream.send(jpeg, sequence)
        await wait_until_async(lambda: metric(client, "segstack_gateway_frames_received_total") == 4)
        await wait_until_async(lambda: held() == [4])
        await asyncio.sleep(0.2)  # long enough for a third frame to be started
        assert (held(), len(serving.inferences)) == ([4], 2)
        gate.set()
        await stream.end()
