"""What is held of frames whose replies wait to be sent."""

import asyncio
import gc

from starlette.websockets import WebSocket

from gateway.stream.wire import Frame
from segstack_testing.gateways import metric
from segstack_testing.waiting import wait_until


def test_a_frame_goes_once_it_was_worked_on(client, serving, jpeg, gate, converse, monkeypatch):
    send = WebSocket.send_bytes

    async def send_late(websocket, data):
        await asyncio.to_thread(gate.wait, 30)
        await send(websocket, data)

    monkeypatch.setattr(WebSocket, "send_bytes", send_late)
    assert client.post("/segment", content=jpeg).status_code == 200  # or the first call is for the card
    known = len(serving.predictions)

    def held():
        return sorted(thing.message[4] for thing in gc.get_objects() if type(thing) is Frame)

    async def talk(stream):
        for sequence in (1, 2):  # worked on, and their replies wait
            await stream.send(jpeg, sequence)
            await asyncio.to_thread(wait_until, lambda: len(serving.predictions) == known + sequence)  # noqa: B023
        for sequence in (3, 4):
            await stream.send(jpeg, sequence)
        await asyncio.to_thread(wait_until, lambda: metric(client, "segstack_gateway_frames_received_total") == 4)
        await asyncio.to_thread(wait_until, lambda: held() == [4])
        gate.set()
        return await stream.end()

    converse(client, talk)
