"""How a stream ends, of itself and with the gateway, and how many there may be."""

import asyncio
import itertools
import re
import signal

from segstack_testing.gateways import metric
from segstack_testing.waiting import wait_until


def test_an_idle_stream_is_closed(make_gateway, converse):
    code, reason = converse(make_gateway(stream_idle_timeout_ms=100), lambda stream: stream.closed())
    assert (code, reason) == (1008, "no frame came for 100 ms; open a new stream when there is one")


def test_as_many_streams_as_there_may_be(make_gateway, converse):
    client = make_gateway(max_streams=1)

    async def talk(stream):
        await stream.configure()
        async with stream.another() as second:
            refused = await second.closed()
        await stream.end()
        return refused

    assert converse(client, talk) == (1013, "1 streams are open, which is the most; try again in a moment")
    wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)  # the place is given back after the last word
    assert converse(client, lambda stream: stream.configure())["type"] == "configured"


def test_a_message_that_is_too_large(make_gateway, converse):
    client = make_gateway(max_frame_bytes=2048)

    async def within(stream):
        await stream.send(bytes(2048))
        return await stream.receive()

    async def beyond(stream):
        await stream.send(bytes(5_000_000))
        return await stream.closed()

    assert converse(client, within).error == "unsupported_image"
    code, reason = converse(client, beyond)
    assert code == 1009
    assert "2064" in reason


def test_texts_that_wait_for_no_answer(make_gateway, serving, gate, converse):
    client = make_gateway()  # which does not know the card yet
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        for _ in range(40):
            await stream.send_text(type="configure")
        return await stream.closed()

    code, reason = converse(client, talk)
    assert code == 1008
    assert "text messages" in reason


def test_a_client_that_goes_leaves_nothing_behind(client, serving, jpeg, gate, converse, caplog):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        for sequence in itertools.count():
            await stream.send(jpeg, sequence)
            if serving.predictions and sequence > 10:
                return stream.connection.transport.abort()

    converse(client, talk)
    gate.set()
    wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)
    assert metric(client, "segstack_gateway_in_flight") == 0
    received = metric(client, "segstack_gateway_frames_received_total")
    assert not [record for record in caplog.records if record.levelname == "ERROR" and "gateway" in record.name]
    outcomes = re.findall(r"gateway_frames_total\{.*?\} (\S+)", client.get("/metrics").text)
    assert received == sum(map(float, outcomes))


def test_a_gateway_that_is_told_to_stop_says_so(run_gateway, serving, jpeg, gate, converse):
    with run_gateway() as running:

        async def talk(stream):
            await stream.configure()
            serving.before_predict = lambda request, context: gate.wait(30)
            known = len(serving.predictions)
            await stream.send(jpeg, 1)
            await asyncio.to_thread(wait_until, lambda: len(serving.predictions) > known)
            running.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(wait_until, running.is_closed)
            gate.set()
            return await stream.receive(), await stream.receive(), await stream.closed()

        reply, summary, (code, reason) = converse(running.client, talk)
        assert running.process.wait(30) == 0
    assert (reply.kind, reply.sequence) == (2, 1)
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}
    assert (code, reason) == (1012, "the gateway is shutting down; connect again in a moment")
