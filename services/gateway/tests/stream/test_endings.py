"""How a stream ends, alone and with the gateway, and how many streams are allowed."""

import itertools
import re
import signal

import pytest

from segstack_testing.gateways import metric
from segstack_testing.streams import open_stream
from segstack_testing.waiting import scaled, wait_until, wait_until_async

pytestmark = pytest.mark.anyio


async def test_idle_stream_is_closed(make_gateway):
    async with open_stream(make_gateway(stream_idle_timeout_ms=100)) as stream:
        code, reason = await stream.closed()
    assert code == 1008
    assert "100 ms" in reason


async def test_stream_beyond_max_streams_is_refused_until_one_ends(make_gateway):
    client = make_gateway(max_streams=1)
    async with open_stream(client) as stream:
        await stream.configure()
        async with stream.another() as second:
            code, reason = await second.closed()
        await stream.end()
    assert code == 1013
    assert "1 streams are open" in reason
    wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)  # freed a moment after the last message
    async with open_stream(client) as stream:
        assert (await stream.configure())["type"] == "configured"


async def test_message_larger_than_max_frame_bytes_closes_the_stream(make_gateway):
    client = make_gateway(max_frame_bytes=2048)
    async with open_stream(client) as stream:
        await stream.send(bytes(2048))
        assert (await stream.receive()).error == "unsupported_image"
    async with open_stream(client) as stream:
        await stream.send(bytes(5_000_000))
        code, reason = await stream.closed()
    assert code == 1009
    assert "2064" in reason


async def test_text_messages_that_pile_up_close_the_stream(make_gateway, serving, gate):
    client = make_gateway()
    serving.before_predict = lambda request, context: gate.wait(30)  # the first configure waits for the card
    async with open_stream(client) as stream:
        for _ in range(40):
            await stream.send_text(type="configure")
        code, reason = await stream.closed()
    assert code == 1008
    assert "text messages" in reason


async def test_aborted_connection_leaves_nothing_behind(make_gateway, serving, jpeg, gate, caplog):
    client = make_gateway()
    serving.before_predict = lambda request, context: gate.wait(30)
    async with open_stream(client) as stream:
        for sequence in itertools.count():
            await stream.send(jpeg, sequence)
            if serving.predictions and sequence > 10:
                stream.connection.transport.abort()
                break
    gate.set()
    wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)
    assert metric(client, "segstack_gateway_in_flight") == 0
    received = metric(client, "segstack_gateway_frames_received_total")
    assert not [record for record in caplog.records if record.levelname == "ERROR" and "gateway" in record.name]
    outcomes = re.findall(r"gateway_frames_total\{.*?\} (\S+)", client.get("/metrics").text)
    assert received == sum(map(float, outcomes))


async def test_shutdown_answers_the_frame_at_work_and_closes_with_1012(run_gateway, serving, jpeg, gate):
    with run_gateway() as running:
        async with open_stream(running.client) as stream:
            await stream.configure()
            serving.before_predict = lambda request, context: gate.wait(30)
            await stream.send(jpeg, 1)
            await wait_until_async(lambda: serving.inferences)
            running.process.send_signal(signal.SIGTERM)
            await wait_until_async(running.is_closed)
            gate.set()
            reply, summary = await stream.receive(), await stream.receive()
            code, reason = await stream.closed()
        assert running.process.wait(scaled(15)) == 0
    assert (reply.kind, reply.sequence) == (2, 1)
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}
    assert code == 1012
    assert "shutting down" in reason
