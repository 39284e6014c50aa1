"""WS /stream as PROTOCOL.md describes it: replies to frames and to text messages."""

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
from segstack_testing.streams import Reply, open_stream
from segstack_testing.waiting import wait_until_async

pytestmark = pytest.mark.anyio

PROTOCOL = (Path(__file__).parents[2] / "PROTOCOL.md").read_text()
QUARTERS = np.kron(np.array([[1, 2], [3, 0]], np.uint8), np.ones((24, 32), np.uint8))
HEADER = struct.pack("<BBHId", 1, 1, 0, 7, 1.5)


def example(name):
    (block,) = re.findall(rf"```hex {name}\n(.*?)```", PROTOCOL, re.DOTALL)
    return bytes.fromhex(block)


async def test_worked_example_of_the_protocol(client):
    async with open_stream(client) as stream:
        await stream.configure(size="original")
        await stream.connection.send(example("frame"))
        answered = await stream.connection.recv()
    shown = example("reply")
    assert answered[:16] == shown[:16]  # version, kind, flags, and what is echoed
    reply, documented = Reply(answered), Reply(shown)
    assert (reply.width, reply.height) == (documented.width, documented.height)
    assert reply.mask.tolist() == documented.mask.tolist() == [[1, 2]]
    times = (documented.decode, documented.queue, documented.infer, documented.encode)
    assert (*times, documented.dropped) == (250, 0, 100_000, 80, 3)


async def test_reply_is_a_mask_of_the_models_size_with_stage_times(client, jpeg):
    async with open_stream(client) as stream:
        await stream.send(jpeg, 2**32 - 1, captured_at=-0.1)
        reply = await stream.receive()
        summary = await stream.end()
    assert (reply.version, reply.kind, reply.flags) == (1, 2, 0)
    assert (reply.sequence, reply.captured_at) == (2**32 - 1, -0.1)
    assert np.array_equal(reply.mask, QUARTERS)
    assert min(reply.decode, reply.infer, reply.encode) > 0
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}


async def test_configured_is_sent_without_a_configure(client, jpeg):
    async with open_stream(client) as stream:
        await stream.send(jpeg)
        await stream.receive()
    configured = stream.configured
    assert (configured["model"], configured["version"]) == ("shapes", 1)
    assert (configured["width"], configured["height"], configured["ignore_id"]) == (64, 48, 255)
    assert configured["classes"][1] == {"id": 1, "name": "car", "color": [220, 60, 60], "background": False}


@pytest.mark.parametrize("kept", ["car,2", ["car", 2]])
async def test_classes_keeps_some_and_ignores_the_rest(client, jpeg, kept):
    async with open_stream(client) as stream:
        await stream.configure(classes=kept)
        await stream.send(jpeg)
        reply = await stream.receive()
    assert set(np.unique(reply.mask)) == {1, 2, 255}


async def test_overlay_has_the_frames_size(client, jpeg):
    async with open_stream(client) as stream:
        configured = await stream.configure(output="overlay", alpha=1)
        await stream.send(jpeg)
        reply = await stream.receive()
    assert (configured["output"], configured["size"]) == ("overlay", "original")
    assert (reply.kind, reply.width, reply.height) == (3, 128, 96)
    painted = Image.open(io.BytesIO(reply.payload))
    assert painted.size == (128, 96)
    assert np.abs(np.array(painted)[20, 20].astype(int) - (220, 60, 60)).max() < 8


async def test_replies_after_configured_follow_the_new_configuration(client, serving, jpeg):
    serving.publish("shapes", 2)
    serving.networks["shapes", 2] = lambda image: np.full(image.shape[:2], 3, np.uint8)
    seen = []  # (version, the classes of each reply) for each configured message
    async with open_stream(client) as stream:
        for sequence in range(40):
            if sequence % 10 == 5:
                await stream.send_text(type="configure", version=1 + sequence // 10 % 2)
            await stream.send(jpeg, sequence)
        await stream.send_text(type="end")
        while True:
            message = await stream.connection.recv()
            if not isinstance(message, str):
                seen[-1][1].append(set(np.unique(Reply(message).mask)))
            elif (text := json.loads(message))["type"] == "configured":
                seen.append((text["version"], []))
            else:
                break
    assert {version for version, _ in seen} == {1, 2}
    for version, classes in seen:
        assert all(found == ({3} if version == 2 else {0, 1, 2, 3}) for found in classes)


async def test_new_version_is_announced_before_its_first_reply(client, serving, jpeg):
    async with open_stream(client) as stream:
        await stream.send(jpeg)
        await stream.receive()
        before = stream.configured
        serving.publish("shapes", 2, input_height=24, input_width=32)
        await stream.send(jpeg)
        reply = await stream.receive()
    after = stream.configured
    assert (before["version"], after["version"], after["width"]) == (1, 2, 32)
    assert reply.mask.shape == (24, 32)


@pytest.mark.parametrize("name", ["form", "output"])
async def test_configure_accepts_output_for_form(client, jpeg, name):
    async with open_stream(client) as stream:
        configured = await stream.configure(**{name: "overlay"})
        await stream.send(jpeg)
        reply = await stream.receive()
    assert configured["form"] == configured["output"] == "overlay"
    assert reply.kind == 3


async def test_moved_default_label_is_followed_and_announced(make_gateway, serving, jpeg):
    serving.publish("shapes", 2)
    serving.labels["shapes", "stable"] = 1
    async with open_stream(make_gateway(default_label="stable")) as stream:
        versions = [(await stream.configure())["version"]]
        for stable in (1, 2):
            serving.labels["shapes", "stable"] = stable
            await stream.send(jpeg)
            await stream.receive()
            versions.append(stream.configured["version"])
    assert versions == [1, 1, 2]


async def test_canary_answers_its_sessions_except_for_classes_it_lacks(make_gateway, serving, jpeg, card):
    serving.publish("shapes", 2)
    serving.publish("shapes", 1, classes=card.classes[:3])
    serving.networks["shapes", 1] = lambda image: np.ones(image.shape[:2], np.uint8)
    async with open_stream(make_gateway(canary="shapes:1=1")) as stream:
        await stream.send(jpeg)
        await stream.receive()
        versions = [stream.configured["version"]]
        for classes in ("car", "fußgänger"):
            versions.append((await stream.configure(classes=classes))["version"])
            await stream.send(jpeg)
            await stream.receive()
        versions.append(stream.configured["version"])
    assert versions == [1, 1, 2, 2]


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
async def test_frame_that_cannot_be_answered_gets_one_error(client, jpeg, message, code):
    async with open_stream(client) as stream:
        await stream.connection.send(message)
        fault = await stream.receive()
        await stream.send(jpeg, 8)
        reply = await stream.receive()
        summary = await stream.end()
    assert (fault.kind, fault.error, fault.width, fault.height) == (4, code, 0, 0)
    assert (fault.sequence, fault.captured_at) == ((7, 1.5) if len(message) >= len(HEADER) else (0, 0))
    assert (reply.kind, reply.sequence) == (2, 8)
    assert summary == {"type": "summary", "received": 2, "answered": 1, "failed": 1, "dropped": 0}


async def test_frame_over_max_frame_pixels_is_an_error_with_the_limit(make_gateway, jpeg):
    async with open_stream(make_gateway(max_frame_pixels=100)) as stream:
        await stream.send(jpeg)
        error = json.loads((await stream.receive()).payload)["error"]
    assert error["code"] == "image_too_large"
    assert error["detail"]["max_pixels"] == 100


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is not valid"),
        ("{", "is not valid"),
        ("[]", "is not valid"),
        ("[" * 60_000, "is not valid"),
        ("null", "is not valid"),
        ('{"type": "start"}', "'configure', 'end'"),
        ('{"type": "configure", "modle": "road"}', "modle: "),
        ('{"type": "configure", "alpha": 2, "output": "overlay"}', "alpha: "),
        ('{"type": "configure", "alpha": 0.5}', "use form=overlay"),
        ('{"type": "configure", "form": "json"}', "form: "),
        ('{"type": "configure", "classes": "carr"}', "did you mean 'car'"),
        ('{"type": "configure", "form": "mask", "output": "overlay"}', "form=mask and output=overlay"),
        ('{"type": "configure", "classes": {}}', "classes: "),
        ('{"type": "configure", "model": "road"}', "model 'road' not found"),
        ('{"type": "configure", "version": 9}', "no version 9"),
        ('{"type": "configure", "version": 1, "label": "a"}', "both given"),
    ],
)
async def test_invalid_text_message_is_an_error_and_changes_nothing(client, jpeg, text, match):
    async with open_stream(client) as stream:
        await stream.configure(classes="car")
        await stream.connection.send(text)
        error = await stream.receive()
        await stream.send(jpeg)
        reply = await stream.receive()
    assert error["type"] == "error"
    assert match in error["error"]["message"]
    assert set(np.unique(reply.mask)) == {1, 255}


async def test_newest_frame_is_answered_and_dropped_ones_are_counted(make_gateway, serving, jpeg, gate):
    serving.before_predict = lambda request, context: gate.wait(30)
    client = make_gateway()
    async with open_stream(client) as stream:
        await stream.send(jpeg, 0)
        await wait_until_async(lambda: serving.predictions)
        for sequence in range(1, 20):
            await stream.send(jpeg, sequence)
        await stream.send_text(type="end")
        await wait_until_async(lambda: metric(client, "segstack_gateway_frames_received_total") == 20)
        gate.set()
        first, second, summary = [await stream.receive() for _ in range(3)]
    assert [(reply.sequence, reply.dropped) for reply in (first, second)] in ([(0, 0), (19, 18)], [(0, 18), (19, 0)])
    assert summary == {"type": "summary", "received": 20, "answered": 2, "failed": 0, "dropped": 18}


async def test_ten_thousand_tiny_frames_are_each_answered_or_counted(client):
    async with open_stream(client) as stream:
        for sequence in range(10_000):
            await stream.send(b"?", sequence)
        await stream.send_text(type="end")
        errors = []
        while not isinstance(message := await stream.receive(), dict):
            errors.append(message)
        ending = await stream.closed()
    assert {reply.error for reply in errors} == {"unsupported_image"}
    sequences = [reply.sequence for reply in errors]
    assert sequences == sorted(sequences)
    assert sequences[-1] == 9_999
    assert message["received"] == 10_000 == message["failed"] + message["dropped"]
    assert message["failed"] == len(errors)
    assert ending == (1000, "")


async def test_streams_are_answered_in_turn(make_gateway, jpeg):
    order = []
    all_are_open = asyncio.Barrier(4)

    async def camera(stream, number):
        async with stream.another() as own:
            await all_are_open.wait()
            for sequence in range(40):
                await own.send(jpeg, sequence)
                await own.receive()
                order.append(number)

    async with open_stream(make_gateway()) as stream:
        await asyncio.gather(*(camera(stream, number) for number in range(4)))
    for begin in range(20, 100, 20):  # while all four are open; each has about five of twenty
        assert max(Counter(order[begin : begin + 20]).values()) <= 10


async def test_unreachable_serving_is_an_error_for_each_frame(make_gateway, jpeg, unused_address):
    async with open_stream(make_gateway(serving_address=unused_address)) as stream:
        await stream.send(jpeg)
        reply, configured = await stream.receive(), await stream.configure()
    assert reply.error == "serving_unavailable"
    assert configured["error"]["code"] == "serving_unavailable"


async def test_frames_and_their_outcomes_are_counted(make_gateway, jpeg):
    client = make_gateway()
    async with open_stream(client) as stream:
        await stream.send(jpeg)
        await stream.receive()
        await stream.send(b"no image")
        await stream.receive()
        assert metric(client, "segstack_gateway_streams") == 1
        assert (await stream.configure(model="road"))["type"] == "error"
        await stream.end()
    text = client.get("/metrics").text
    for sample in (
        "frames_received_total 2.0",
        'frames_total{outcome="answered"} 1.0',
        'frames_total{outcome="failed"} 1.0',
        'errors_total{code="unsupported_image"} 1.0',
        'errors_total{code="unknown_model"} 1.0',
        "frame_seconds_count 1.0",
        'images_total{model="shapes",version="1"} 1.0',
    ):
        assert f"segstack_gateway_{sample}" in text


async def test_replies_come_in_the_order_of_their_frames(make_gateway, serving, jpeg, gate):
    async with open_stream(make_gateway(max_frames_inferring=2)) as stream:
        await stream.configure()
        serving.before_predict = lambda request, context: len(serving.inferences) > 1 or gate.wait(30)
        for sequence in (1, 2):  # the second is answered by serving while the first waits there
            await stream.send(jpeg, sequence)
            await wait_until_async(lambda: len(serving.inferences) == sequence)  # noqa: B023
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await stream.receive()
        gate.set()
        assert [(await stream.receive()).sequence for _ in range(2)] == [1, 2]
