"""How a stream ends, of itself and with the gateway, and how many there may be."""

import asyncio
import itertools
import re
import signal


def test_an_idle_stream_is_closed(make_client, converse):
    code, reason = converse(make_client(stream_idle_timeout_ms=100), lambda stream: stream.closed())
    assert (code, reason) == (1008, "no frame came for 100 ms; open a new stream when there is one")


def test_as_many_streams_as_there_may_be(make_client, converse, metric, wait_for):
    client = make_client(max_streams=1)

    async def talk(stream):
        await stream.configure()
        async with stream.another() as second:
            refused = await second.closed()
        await stream.end()
        return refused

    assert converse(client, talk) == (1013, "1 streams are open, the maximum; try again in a moment")
    wait_for(lambda: metric(client, "segstack_gateway_streams") == 0)  # the place is given back after the last word
    assert converse(client, lambda stream: stream.configure())["type"] == "configured"


def test_a_message_that_is_too_large(make_client, converse):
    client = make_client(max_frame_bytes=2048)

    async def within(stream):
        await stream.send(bytes(2048))
        return await stream.hear()

    async def beyond(stream):
        await stream.send(bytes(5_000_000))
        return await stream.closed()

    assert converse(client, within).error == "unsupported_image"
    code, reason = converse(client, beyond)
    assert code == 1009
    assert "2064" in reason


def test_texts_that_wait_for_no_answer(client, serving, gate, converse):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        for _ in range(40):
            await stream.say(type="configure")
        return await stream.closed()

    code, reason = converse(client, talk)
    assert code == 1008
    assert "text messages" in reason


def test_a_client_that_goes_leaves_nothing_behind(client, serving, jpeg, gate, converse, wait_for, metric, caplog):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        for sequence in itertools.count():
            await stream.send(jpeg, sequence)
            if serving.predictions and sequence > 10:
                return stream.connection.transport.abort()

    converse(client, talk)
    gate.set()
    wait_for(lambda: metric(client, "segstack_gateway_streams") == 0)
    assert metric(client, "segstack_gateway_in_flight") == 0
    received = metric(client, "segstack_gateway_frames_received_total")
    assert not [record for record in caplog.records if record.levelname == "ERROR" and "gateway" in record.name]
    outcomes = re.findall(r"gateway_frames_total\{.*?\} (\S+)", client.get("/metrics").text)
    assert received == sum(map(float, outcomes))


def test_a_gateway_that_is_told_to_stop_says_so(run_gateway, serving, jpeg, gate, converse, wait_for):
    with run_gateway() as running:

        async def talk(stream):
            await stream.configure()
            serving.before_predict = lambda request, context: gate.wait(30)
            known = len(serving.predictions)
            await stream.send(jpeg, 1)
            await asyncio.to_thread(wait_for, lambda: len(serving.predictions) > known)
            running.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(wait_for, running.is_closed)
            gate.set()
            return await stream.hear(), await stream.hear(), await stream.closed()

        reply, summary, (code, reason) = converse(running.client, talk)
        assert running.process.wait(30) == 0
    assert (reply.kind, reply.sequence) == (2, 1)
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}
    assert (code, reason) == (1012, "the gateway is shutting down; connect again in a moment")
