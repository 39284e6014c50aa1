"""Clients that disconnect: noticed, and no work is done for them."""

import asyncio
import socket

import pytest

from gateway.errors import ClientGone
from gateway.flow.disconnects import ClientConnection
from segstack_testing.gateways import metric
from segstack_testing.raw_http import post_segment
from segstack_testing.waiting import wait_until


class Network:
    """A connection that a test closes."""

    def __init__(self):
        self.closed = asyncio.Event()

    async def receive(self):
        await self.closed.wait()
        return {"type": "http.disconnect"}


@pytest.mark.anyio
async def test_wait_ends_when_the_client_disconnects():
    network = Network()
    async with ClientConnection(network.receive) as connection:
        network.closed.set()
        with pytest.raises(ClientGone):
            async with asyncio.timeout(5), connection.cancels_wait():
                await asyncio.Event().wait()
        with pytest.raises(ClientGone):
            connection.require_open()


@pytest.mark.anyio
async def test_connected_client_disturbs_nothing():
    async with ClientConnection(Network().receive) as connection:
        async with connection.cancels_wait():
            await asyncio.sleep(0)
        connection.require_open()


@pytest.mark.anyio
async def test_other_timeouts_inside_a_wait_stay_timeouts():
    async with ClientConnection(Network().receive) as connection:
        with pytest.raises(TimeoutError):
            async with connection.cancels_wait(), asyncio.timeout(0):
                await asyncio.Event().wait()


def test_request_whose_client_disconnects_in_the_queue_never_reaches_serving(make_gateway, serving, jpeg, gate, submit):
    client = make_gateway(max_in_flight=1, max_waiting=4)
    client.post("/segment", content=jpeg)  # the card is known from here on
    serving.before_predict = lambda request, context: gate.wait(30)
    first = submit(client.post, "/segment", content=jpeg)
    wait_until(lambda: len(serving.inferences) == 2)

    with socket.create_connection((client.base_url.host, client.base_url.port)) as queued:
        queued.sendall(post_segment(jpeg))
        wait_until(lambda: metric(client, "segstack_gateway_entered") == 2)
    wait_until(lambda: metric(client, "segstack_gateway_entered") == 1)

    gate.set()
    assert first.result(30).status_code == 200
    assert len(serving.inferences) == 2
