"""Those who hang up: noticed, and not worked for."""

import asyncio
import socket

import pytest

from gateway.errors import ClientGone
from gateway.flow.disconnects import ClientConnection


class Connection:
    """Closes when it is told to."""

    def __init__(self):
        self.closed = asyncio.Event()

    async def receive(self):
        await self.closed.wait()
        return {"type": "http.disconnect"}


def test_a_wait_ends_when_the_caller_hangs_up():
    async def run():
        network = Connection()
        async with ClientConnection(network.receive) as connection:
            network.closed.set()
            with pytest.raises(ClientGone):
                async with asyncio.timeout(5), connection.cancels_wait():
                    await asyncio.Event().wait()
            with pytest.raises(ClientGone):
                connection.require_open()

    asyncio.run(run())


def test_a_caller_who_stays_disturbs_nothing():
    async def run():
        async with ClientConnection(Connection().receive) as connection:
            async with connection.cancels_wait():
                await asyncio.sleep(0)
            connection.require_open()

    asyncio.run(run())


def test_another_timeout_inside_stays_what_it_is():
    async def run():
        async with ClientConnection(Connection().receive) as connection:
            with pytest.raises(TimeoutError):
                async with connection.cancels_wait(), asyncio.timeout(0):
                    await asyncio.Event().wait()

    asyncio.run(run())


def test_a_request_whose_client_hangs_up_in_the_queue_never_reaches_serving(
    make_client, serving, jpeg, gate, start, wait_for, metric
):
    client = make_client(max_in_flight=1, max_waiting=4)
    client.post("/segment", content=jpeg)  # the card is known from here on
    serving.before_predict = lambda request, context: gate.wait(30)
    first = start(client.post, "/segment", content=jpeg)
    wait_for(lambda: len(serving.predictions) == 3)  # describe, the first, and this one

    with socket.create_connection((client.base_url.host, client.base_url.port)) as queued:
        head = f"POST /segment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        queued.sendall(head.encode() + jpeg)
        wait_for(lambda: metric(client, "segstack_gateway_entered") == 2)
    wait_for(lambda: metric(client, "segstack_gateway_entered") == 1)

    gate.set()
    assert first.result(30).status_code == 200
    assert len(serving.predictions) == 3
