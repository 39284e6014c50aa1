"""WS /stream as PROTOCOL.md has it: what is answered to frames and to text messages."""

import asyncio
import io
import json
import re
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segstack_testing.gateways import metric
from segstack_testing.waiting import wait_until

PROTOCOL = (Path(__file__).parents[2] / "PROTOCOL.md").read_text()
QUARTERS = np.kron(np.array([[1, 2], [3, 0]], np.uint8), np.ones((24, 32), np.uint8))
HEADER = struct.pack("<BBHId", 1, 1, 0, 7, 1.5)


def example(name):
    (block,) = re.findall(rf"```hex {name}\n(.*?)```", PROTOCOL, re.DOTALL)
    return bytes.fromhex(block)


def test_the_worked_example(client, converse, reply_of):
    async def talk(stream):
        await stream.configure(size="original")
        await stream.connection.send(example("frame"))
        return await stream.connection.recv()

    answered, shown = converse(client, talk), example("reply")
    assert answered[:16] == shown[:16]  # version, kind, flags, and what is echoed
    reply, told = reply_of(answered), reply_of(shown)
    assert (reply.width, reply.height) == (told.width, told.height)
    assert reply.mask.tolist() == told.mask.tolist() == [[1, 2]]
    assert (told.decode, told.queue, told.infer, told.encode, told.dropped) == (250, 0, 100_000, 80, 3)


def test_a_mask_of_the_models_size_and_where_the_time_went(client, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg, 2**32 - 1, captured_at=-0.1)
        return await stream.receive(), stream.configured, await stream.end()

    reply, configured, summary = converse(client, talk)
    assert (reply.version, reply.kind, reply.flags) == (1, 2, 0)
    assert (reply.sequence, reply.captured_at) == (2**32 - 1, -0.1)
    assert np.array_equal(reply.mask, QUARTERS)
    assert min(reply.decode, reply.infer, reply.encode) > 0
    # Unasked, as nothing was configured.
    assert (configured["model"], configured["version"]) == ("shapes", 1)
    assert (configured["width"], configured["height"], configured["ignore_id"]) == (64, 48, 255)
    assert configured["classes"][1] == {"id": 1, "name": "car", "color": [220, 60, 60], "background": False}
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}


@pytest.mark.parametrize("kept", ["car,2", ["car", 2]])
def test_classes_that_are_kept(client, jpeg, converse, kept):
    async def talk(stream):
        await stream.configure(classes=kept)
        await stream.send(jpeg)
        return await stream.receive()

    assert set(np.unique(converse(client, talk).mask)) == {1, 2, 255}


def test_an_overlay_is_as_large_as_the_frame(client, jpeg, converse):
    async def talk(stream):
        configured = await stream.configure(output="overlay", alpha=1)
        await stream.send(jpeg)
        return configured, await stream.receive()

    configured, reply = converse(client, talk)
    assert (configured["output"], configured["size"]) == ("overlay", "original")
    assert (reply.kind, reply.width, reply.height) == (3, 128, 96)
    painted = Image.open(io.BytesIO(reply.payload))
    assert painted.size == (128, 96)
    assert np.abs(np.array(painted)[20, 20].astype(int) - (220, 60, 60)).max() < 8


def test_after_configured_every_reply_is_by_the_new_configuration(client, serving, jpeg, converse, reply_of):
    serving.publish("shapes", 2)
    serving.networks["shapes", 2] = lambda image: np.full(image.shape[:2], 3, np.uint8)

    async def talk(stream):
        seen = []
        for sequence in range(40):
            if sequence % 10 == 5:
                await stream.send_text(type="configure", version=1 + sequence // 10 % 2)
            await stream.send(jpeg, sequence)
        await stream.send_text(type="end")
        while True:
            message = await asyncio.wait_for(stream.connection.recv(), 30)
            if not isinstance(message, str):
                seen[-1][1].append(set(np.unique(reply_of(message).mask)))
            elif (said := json.loads(message))["type"] == "configured":
                seen.append((said["version"], []))
            else:
                return seen

    seen = converse(client, talk)
    assert {version for version, _ in seen} == {1, 2}
    for version, classes in seen:
        assert all(found == ({3} if version == 2 else {0, 1, 2, 3}) for found in classes)


def test_another_version_is_announced_before_its_first_reply(client, serving, jpeg, converse, card):
    async def talk(stream):
        await stream.send(jpeg)
        await stream.receive()
        before = stream.configured
        serving.publish("shapes", 2, input_height=24, input_width=32)
        await stream.send(jpeg)
        reply = await stream.receive()
        return before, stream.configured, reply

    before, after, reply = converse(client, talk)
    assert (before["version"], after["version"], after["width"]) == (1, 2, 32)
    assert reply.mask.shape == (24, 32)


def test_the_default_label_s_version_answers_and_its_move_is_announced(make_gateway, serving, jpeg, converse):
    serving.publish("shapes", 2)
    serving.labels["shapes", "stable"] = 1

    async def talk(stream):
        versions = [(await stream.configure())["version"]]
        for stable in (1, 2):
            serving.labels["shapes", "stable"] = stable
            await stream.send(jpeg)
            await stream.receive()
            versions.append(stream.configured["version"])
        return versions

    assert converse(make_gateway(default_label="stable"), talk) == [1, 1, 2]


def test_a_canary_answers_the_session_it_fell_to_where_it_can(make_gateway, serving, jpeg, converse, card):
    serving.publish("shapes", 2)
    serving.publish("shapes", 1, classes=card.classes[:3])
    serving.networks["shapes", 1] = lambda image: np.ones(image.shape[:2], np.uint8)
    client = make_gateway(canary="shapes:1=1")

    async def talk(stream):
        await stream.send(jpeg)
        await stream.receive()
        versions = [stream.configured["version"]]
        for classes in ("car", "fußgänger"):
            versions.append((await stream.configure(classes=classes))["version"])
            await stream.send(jpeg)
            await stream.receive()
        return [*versions, stream.configured["version"]]

    assert converse(client, talk) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", "bad_request"),
        (b"\x01", "bad_request"),
        (HEADER, "bad_request"),
        (b"\x02" + HEADER[1:] + b"any", "bad_request"),
        (b"\x01\x02" + HEADER[2:] + b"any", "bad_request"),
        (b"\x01\x01\x01" + HEADER[3:] + b"any", "bad_request"),
        (HEADER + b"no image", "unsupported_image"),
        (HEADER + b"\x89PNG\r\n\x1a\n", "undecodable_image"),
    ],
)
def test_a_frame_that_cannot_be_answered_is_one_error(client, jpeg, converse, message, code):
    async def talk(stream):
        await stream.connection.send(message)
        fault = await stream.receive()
        await stream.send(jpeg, 8)
        return fault, await stream.receive(), await stream.end()

    fault, reply, summary = converse(client, talk)
    assert (fault.kind, fault.error, fault.width, fault.height) == (4, code, 0, 0)
    assert (fault.sequence, fault.captured_at) == ((7, 1.5) if len(message) >= len(HEADER) else (0, 0))
    assert (reply.kind, reply.sequence) == (2, 8)
    assert summary == {"type": "summary", "received": 2, "answered": 1, "failed": 1, "dropped": 0}


def test_a_frame_of_too_many_pixels_is_told_the_streams_own_limit(make_gateway, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg)
        return json.loads((await stream.receive()).payload)["error"]

    error = converse(make_gateway(max_frame_pixels=100), talk)
    assert error["code"] == "image_too_large"
    assert error["detail"]["max_pixels"] == 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not understood"),
        ("{", "is not understood"),
        ("[]", "is not understood"),
        ("[" * 60_000, "is not understood"),
        ("null", "is not understood"),
        ('{"type": "start"}', "'configure', 'end'"),
        ('{"type": "configure", "modle": "road"}', "modle: "),
        ('{"type": "configure", "alpha": 2, "output": "overlay"}', "alpha: "),
        ('{"type": "configure", "alpha": 0.5}', "use output=overlay"),
        ('{"type": "configure", "output": "json"}', "output: "),
        ('{"type": "configure", "classes": "carr"}', "did you mean 'car'"),
        ('{"type": "configure", "classes": {}}', "classes: "),
        ('{"type": "configure", "model": "road"}', "no model 'road'"),
        ('{"type": "configure", "version": 9}', "no version 9"),
        ('{"type": "configure", "version": 1, "label": "a"}', "both given"),
    ],
)
def test_a_text_message_that_cannot_be_followed_changes_nothing(client, jpeg, converse, text, says):
    async def talk(stream):
        await stream.configure(classes="car")
        await stream.connection.send(text)
        error = await stream.receive()
        await stream.send(jpeg)
        return error, await stream.receive()

    error, reply = converse(client, talk)
    assert error["type"] == "error"
    assert says in error["error"]["message"]
    assert set(np.unique(reply.mask)) == {1, 255}


def test_the_newest_frame_is_answered_and_the_others_are_counted(client, serving, jpeg, gate, converse):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        await stream.send(jpeg, 0)
        await asyncio.to_thread(wait_until, lambda: serving.predictions)
        for sequence in range(1, 20):
            await stream.send(jpeg, sequence)
        await stream.send_text(type="end")
        await stream.connection.ping()
        gate.set()
        return [await stream.receive() for _ in range(3)]

    first, second, summary = converse(client, talk)
    assert [(reply.sequence, reply.dropped) for reply in (first, second)] in ([(0, 0), (19, 18)], [(0, 18), (19, 0)])
    assert summary == {"type": "summary", "received": 20, "answered": 2, "failed": 0, "dropped": 18}


def test_ten_thousand_tiny_frames(client, converse):
    async def talk(stream):
        for sequence in range(10_000):
            await stream.send(b"?", sequence)
        await stream.send_text(type="end")
        errors = []
        while not isinstance(message := await stream.receive(), dict):
            errors.append(message)
        return errors, message, await stream.closed()

    errors, summary, ending = converse(client, talk)
    assert {reply.error for reply in errors} == {"unsupported_image"}
    sequences = [reply.sequence for reply in errors]
    assert sequences == sorted(sequences)
    assert sequences[-1] == 9_999
    assert summary["received"] == 10_000 == summary["failed"] + summary["dropped"]
    assert summary["failed"] == len(errors)
    assert ending == (1000, "")


def test_each_stream_has_its_turn(make_gateway, serving, jpeg, converse):
    client = make_gateway(requests_per_s=None)

    async def talk(stream):
        order = []

        async def camera(number):
            async with stream.another() as own:
                for sequence in range(40):
                    await own.send(jpeg, sequence)
                    await own.receive()
                    order.append(number)

        await asyncio.gather(*(camera(number) for number in range(4)))
        return order

    order = converse(client, talk)
    for begin in range(20, 100, 20):  # while all are there; each of four has about five of twenty
        assert max(Counter(order[begin : begin + 20]).values()) <= 10


def test_serving_away_is_an_error_for_each_frame(make_gateway, jpeg, unused_address, converse):
    async def talk(stream):
        await stream.send(jpeg)
        return await stream.receive(), await stream.configure()

    reply, told = converse(make_gateway(serving_address=unused_address), talk)
    assert reply.error == "serving_unavailable"
    assert told["error"]["code"] == "serving_unavailable"


def test_metrics(make_gateway, jpeg, converse):
    client = make_gateway()

    async def talk(stream):
        await stream.send(jpeg)
        await stream.receive()
        await stream.send(b"no image")
        await stream.receive()
        assert await asyncio.to_thread(metric, client, "segstack_gateway_streams") == 1
        return await stream.end()

    converse(client, talk)
    text = client.get("/metrics").text
    for sample in (
        "frames_received_total 2.0",
        'frames_total{outcome="answered"} 1.0',
        'frames_total{outcome="failed"} 1.0',
        'errors_total{code="unsupported_image"} 1.0',
        "frame_seconds_count 1.0",
        'images_total{model="shapes",version="1"} 1.0',
    ):
        assert f"segstack_gateway_{sample}" in text
