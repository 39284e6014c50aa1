"""Those who hang up: noticed, and not worked for."""

import asyncio
import socket

import pytest

from gateway.errors import ClientGone
from gateway.flow.disconnects import Caller
from segstack_testing.gateways import metric
from segstack_testing.waiting import wait_until


class Connection:
    """Closes when it is told to."""

    def __init__(self):
        self.closed = asyncio.Event()

    async def receive(self):
        await self.closed.wait()
        return {"type": "http.disconnect"}


def test_a_wait_ends_when_the_caller_hangs_up():
    async def run():
        connection = Connection()
        async with Caller(connection.receive) as caller:
            connection.closed.set()
            with pytest.raises(ClientGone):
                async with asyncio.timeout(5), caller.waits():
                    await asyncio.Event().wait()
            with pytest.raises(ClientGone):
                caller.check()

    asyncio.run(run())


def test_a_caller_who_stays_disturbs_nothing():
    async def run():
        async with Caller(Connection().receive) as caller:
            async with caller.waits():
                await asyncio.sleep(0)
            caller.check()

    asyncio.run(run())


def test_another_timeout_inside_stays_what_it_is():
    async def run():
        async with Caller(Connection().receive) as caller:
            with pytest.raises(TimeoutError):
                async with caller.waits(), asyncio.timeout(0):
                    await asyncio.Event().wait()

    asyncio.run(run())


def test_a_request_whose_client_hangs_up_in_the_queue_never_reaches_serving(make_gateway, serving, jpeg, gate, submit):
    client = make_gateway(max_in_flight=1, max_waiting=4)
    client.post("/segment", content=jpeg)  # the card is known from here on
    serving.before_predict = lambda request, context: gate.wait(30)
    first = submit(client.post, "/segment", content=jpeg)
    wait_until(lambda: len(serving.predictions) == 3)  # describe, the first, and this one

    with socket.create_connection((client.base_url.host, client.base_url.port)) as queued:
        head = f"POST /segment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        queued.sendall(head.encode() + jpeg)
        wait_until(lambda: metric(client, "segstack_gateway_entered") == 2)
    wait_until(lambda: metric(client, "segstack_gateway_entered") == 1)

    gate.set()
    assert first.result(30).status_code == 200
    assert len(serving.predictions) == 3
