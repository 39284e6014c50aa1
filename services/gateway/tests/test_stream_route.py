"""WS /stream as PROTOCOL.md has it: a client written from that page alone, and what is told to one that errs."""

import asyncio
import io
import itertools
import json
import re
import signal
import struct
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.api_keys import line_of, new_key

PROTOCOL = (Path(__file__).parents[1] / "PROTOCOL.md").read_text()
QUARTERS = np.kron(np.array([[1, 2], [3, 0]], np.uint8), np.ones((24, 32), np.uint8))


def frame(image, sequence=0, captured_at=0.0, version=1, kind=1, flags=0):
    return struct.pack("<BBHId", version, kind, flags, sequence, captured_at) + image


class Reply(SimpleNamespace):
    def __init__(self, message):
        names = "version kind flags sequence captured_at decode queue infer encode dropped width height"
        super().__init__(**dict(zip(names.split(), struct.unpack_from("<BBHIdIIIIIHH", message), strict=True)))
        self.payload = message[40:]

    @property
    def mask(self):
        return np.frombuffer(zlib.decompress(self.payload), np.uint8).reshape(self.height, self.width)

    @property
    def error(self):
        return json.loads(self.payload)["error"]["code"] if self.kind == 4 else None


class Stream:
    """What PROTOCOL.md tells a client to do, with ``websockets``."""

    def __init__(self, connection):
        self.connection = connection
        self.configured = None

    async def send(self, image, sequence=0, **header):
        await self.connection.send(frame(image, sequence, **header))

    async def say(self, **message):
        await self.connection.send(json.dumps(message))

    async def hear(self):
        """The next text message that is not about who answers, or else the next reply."""
        while isinstance(message := await asyncio.wait_for(self.connection.recv(), 30), str):
            message = json.loads(message)
            if message["type"] != "configured":
                return message
            self.configured = message
        return Reply(message)

    async def configure(self, **wanted):
        await self.say(type="configure", **wanted)
        message = json.loads(await asyncio.wait_for(self.connection.recv(), 30))
        if message["type"] == "configured":
            self.configured = message
        return message

    async def end(self):
        await self.say(type="end")
        return await self.hear()

    async def closed(self):
        """Close code and reason, whatever comes before."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.connection.recv(), 30)
        return self.connection.close_code, self.connection.close_reason


@pytest.fixture
def converse():
    """``converse(client, talk)``: awaits ``talk(stream)`` on a new stream of that gateway and gives its result."""

    def run(client, talk, **options):
        async def opened():
            url = f"ws://127.0.0.1:{client.base_url.port}/stream"
            async with connect(url, proxy=None, max_size=None, **options) as connection:
                return await asyncio.wait_for(talk(Stream(connection)), 60)

        return asyncio.run(opened())

    return run


def example(name):
    (block,) = re.findall(rf"```hex {name}\n(.*?)```", PROTOCOL, re.DOTALL)
    return bytes.fromhex(block)


def test_the_worked_example(client, converse):
    async def talk(stream):
        await stream.configure(size="original")
        await stream.connection.send(example("frame"))
        return await stream.connection.recv()

    answered, shown = converse(client, talk), example("reply")
    assert answered[:16] == shown[:16]  # version, kind, flags, and what is echoed
    reply, told = Reply(answered), Reply(shown)
    assert (reply.width, reply.height) == (told.width, told.height)
    assert reply.mask.tolist() == told.mask.tolist() == [[1, 2]]
    assert (told.decode, told.queue, told.infer, told.encode, told.dropped) == (250, 0, 100_000, 80, 3)


def test_a_mask_of_the_models_size_and_where_the_time_went(client, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg, 2**32 - 1, captured_at=-0.1)
        return await stream.hear(), stream.configured, await stream.end()

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
        return await stream.hear()

    assert set(np.unique(converse(client, talk).mask)) == {1, 2, 255}


def test_an_overlay_is_as_large_as_the_frame(client, jpeg, converse):
    async def talk(stream):
        configured = await stream.configure(output="overlay", alpha=1)
        await stream.send(jpeg)
        return configured, await stream.hear()

    configured, reply = converse(client, talk)
    assert (configured["output"], configured["size"]) == ("overlay", "original")
    assert (reply.kind, reply.width, reply.height) == (3, 128, 96)
    painted = Image.open(io.BytesIO(reply.payload))
    assert painted.size == (128, 96)
    assert np.abs(np.array(painted)[20, 20].astype(int) - (220, 60, 60)).max() < 8


def test_after_configured_every_reply_is_by_the_new_configuration(client, serving, jpeg, converse):
    serving.publish("shapes", 2)
    serving.networks["shapes", 2] = lambda image: np.full(image.shape[:2], 3, np.uint8)

    async def talk(stream):
        seen = []
        for sequence in range(40):
            if sequence % 10 == 5:
                await stream.say(type="configure", version=1 + sequence // 10 % 2)
            await stream.send(jpeg, sequence)
        await stream.say(type="end")
        while True:
            message = await asyncio.wait_for(stream.connection.recv(), 30)
            if not isinstance(message, str):
                seen[-1][1].append(set(np.unique(Reply(message).mask)))
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
        await stream.hear()
        before = stream.configured
        serving.publish("shapes", 2, input_height=24, input_width=32)
        await stream.send(jpeg)
        reply = await stream.hear()
        return before, stream.configured, reply

    before, after, reply = converse(client, talk)
    assert (before["version"], after["version"], after["width"]) == (1, 2, 32)
    assert reply.mask.shape == (24, 32)


def test_the_default_label_s_version_answers_and_its_move_is_announced(make_client, serving, jpeg, converse):
    serving.publish("shapes", 2)
    serving.labels["shapes", "stable"] = 1

    async def talk(stream):
        versions = [(await stream.configure())["version"]]
        for stable in (1, 2):
            serving.labels["shapes", "stable"] = stable
            await stream.send(jpeg)
            await stream.hear()
            versions.append(stream.configured["version"])
        return versions

    assert converse(make_client(default_label="stable"), talk) == [1, 1, 2]


def test_a_canary_answers_the_session_it_fell_to_where_it_can(make_client, serving, jpeg, converse, card):
    serving.publish("shapes", 2)
    serving.publish("shapes", 1, classes=card.classes[:3])
    serving.networks["shapes", 1] = lambda image: np.ones(image.shape[:2], np.uint8)
    client = make_client(canary="shapes:1=1")

    async def talk(stream):
        await stream.send(jpeg)
        await stream.hear()
        versions = [stream.configured["version"]]
        for classes in ("car", "fußgänger"):
            versions.append((await stream.configure(classes=classes))["version"])
            await stream.send(jpeg)
            await stream.hear()
        return [*versions, stream.configured["version"]]

    assert converse(client, talk) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", "bad_request"),
        (b"\x01", "bad_request"),
        (frame(b""), "bad_request"),
        (frame(b"any", version=2), "bad_request"),
        (frame(b"any", kind=2), "bad_request"),
        (frame(b"any", flags=1), "bad_request"),
        (frame(b"no image", 7, 1.5), "unsupported_image"),
        (frame(b"\x89PNG\r\n\x1a\n", 7, 1.5), "undecodable_image"),
    ],
)
def test_a_frame_that_cannot_be_answered_is_one_error(client, jpeg, converse, message, code):
    async def talk(stream):
        await stream.connection.send(message)
        fault = await stream.hear()
        await stream.send(jpeg, 8)
        return fault, await stream.hear(), await stream.end()

    fault, reply, summary = converse(client, talk)
    assert (fault.kind, fault.error, fault.width, fault.height) == (4, code, 0, 0)
    assert (fault.sequence, fault.captured_at) == ((7, 1.5) if len(message) > 19 and message[4] == 7 else (0, 0))
    assert (reply.kind, reply.sequence) == (2, 8)
    assert summary == {"type": "summary", "received": 2, "answered": 1, "failed": 1, "dropped": 0}


def test_a_frame_of_too_many_pixels_is_told_the_streams_own_limit(make_client, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg)
        return json.loads((await stream.hear()).payload)["error"]

    error = converse(make_client(max_frame_pixels=100), talk)
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
        error = await stream.hear()
        await stream.send(jpeg)
        return error, await stream.hear()

    error, reply = converse(client, talk)
    assert error["type"] == "error"
    assert says in error["error"]["message"]
    assert set(np.unique(reply.mask)) == {1, 255}


def test_the_newest_frame_is_answered_and_the_others_are_counted(client, serving, jpeg, gate, converse, wait_for):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        await stream.send(jpeg, 0)
        await asyncio.to_thread(wait_for, lambda: serving.predictions)
        for sequence in range(1, 20):
            await stream.send(jpeg, sequence)
        await stream.say(type="end")
        await stream.connection.ping()
        gate.set()
        return [await stream.hear() for _ in range(3)]

    first, second, summary = converse(client, talk)
    assert [(reply.sequence, reply.dropped) for reply in (first, second)] in ([(0, 0), (19, 18)], [(0, 18), (19, 0)])
    assert summary == {"type": "summary", "received": 20, "answered": 2, "failed": 0, "dropped": 18}


def test_ten_thousand_tiny_frames(client, converse):
    async def talk(stream):
        for sequence in range(10_000):
            await stream.send(b"?", sequence)
        await stream.say(type="end")
        errors = []
        while isinstance(message := await stream.hear(), Reply):
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


def test_each_stream_has_its_turn(make_client, serving, jpeg, converse):
    client = make_client(requests_per_s=None)

    async def talk(_):
        url = f"ws://127.0.0.1:{client.base_url.port}/stream"
        order = []

        async def camera(number):
            async with connect(url, proxy=None) as connection:
                for sequence in range(40):
                    await connection.send(frame(jpeg, sequence))
                    while isinstance(await asyncio.wait_for(connection.recv(), 30), str):
                        pass
                    order.append(number)

        await asyncio.gather(*(camera(number) for number in range(4)))
        return order

    order = converse(client, talk)
    for begin in range(20, 100, 20):  # while all are there; each of four has about five of twenty
        assert max(Counter(order[begin : begin + 20]).values()) <= 10


def test_serving_away_is_an_error_for_each_frame(make_client, jpeg, unused_address, converse):
    async def talk(stream):
        await stream.send(jpeg)
        return await stream.hear(), await stream.configure()

    reply, told = converse(make_client(serving_address=unused_address), talk)
    assert reply.error == "serving_unavailable"
    assert told["error"]["code"] == "serving_unavailable"


def test_an_idle_stream_is_closed(make_client, converse):
    code, reason = converse(make_client(stream_idle_timeout_ms=100), lambda stream: stream.closed())
    assert (code, reason) == (1008, "no frame came for 100 ms; open a new stream when there is one")


def test_as_many_streams_as_there_may_be(make_client, converse, metric, wait_for):
    client = make_client(max_streams=1)

    async def talk(stream):
        await stream.configure()
        url = f"ws://127.0.0.1:{client.base_url.port}/stream"
        async with connect(url, proxy=None) as second:
            refused = await Stream(second).closed()
        await stream.end()
        return refused

    assert converse(client, talk) == (1013, "1 streams are open, which is the most; try again in a moment")
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


def test_texts_that_wait_for_no_answer(client, serving, gate, converse, wait_for):
    serving.before_predict = lambda request, context: gate.wait(30)

    async def talk(stream):
        for _ in range(40):
            await stream.say(type="configure")
        return await stream.closed()

    code, reason = converse(client, talk)
    assert code == 1008
    assert "text messages" in reason


@pytest.fixture
def keyed(make_client, tmp_path):
    """A gateway with one key, of ten requests a second, and the key."""
    key, keys = new_key(), tmp_path / "keys"
    keys.write_text(line_of("hall", key) + ":10\n")
    return SimpleNamespace(client=make_client(api_keys_file=keys, header_timeout_ms=2_000), key=key, file=keys)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", None])
def test_a_key_in_the_handshake_or_in_configure(keyed, jpeg, converse, header):
    async def talk(stream):
        if header is None:
            assert (await stream.configure(api_key=keyed.key))["type"] == "configured"
        await stream.send(jpeg)
        return await stream.hear()

    value = f"Bearer {keyed.key}" if header == "Authorization" else keyed.key
    reply = converse(keyed.client, talk, additional_headers={header: value} if header else {})
    assert reply.kind == 2


def test_without_a_valid_key(keyed, jpeg, converse):
    async def wrong(stream):
        codes = [(await stream.configure(**given))["error"]["code"] for given in ({}, {"api_key": "guess"})]
        return codes, await stream.closed()

    async def none(stream):
        await stream.send(jpeg)
        return await stream.closed()

    codes, (code, reason) = converse(keyed.client, wrong)
    assert codes == ["unauthorized", "forbidden"]
    assert (code, reason.partition(";")[0]) == (1008, "no configure message with a valid api_key came for 2000 ms")
    assert converse(keyed.client, none)[0] == 1008
    with pytest.raises(InvalidStatus) as refused:
        converse(keyed.client, none, additional_headers={"X-API-Key": "guess"})
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "forbidden"


def test_words_of_a_stranger_buy_no_time(keyed, converse):
    async def talk(stream):
        async def keep_talking():
            for guess in itertools.count():
                await stream.say(type="configure", api_key=str(guess))
                await asyncio.sleep(0.3)

        talking = asyncio.create_task(keep_talking())
        try:
            return await stream.closed()
        finally:
            talking.cancel()

    code, reason = converse(keyed.client, talk)
    assert (code, reason.partition(";")[0]) == (1008, "no configure message with a valid api_key came for 2000 ms")


def test_a_key_that_is_withdrawn_ends_its_streams(keyed, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg)
        await stream.hear()
        keyed.file.write_text(line_of("other", new_key()) + "\n")
        await stream.send(jpeg)
        return await stream.closed()

    code, reason = converse(keyed.client, talk, additional_headers={"X-API-Key": keyed.key})
    assert (code, reason.partition(",")[0]) == (1008, "this API key is not")


def test_a_rate_slows_a_stream_down_and_is_no_error(keyed, jpeg, converse):
    async def talk(stream):
        kinds = []
        for sequence in range(25):  # the bucket has 20
            await stream.send(jpeg, sequence)
            kinds.append((await stream.hear()).kind)
        return kinds

    assert converse(keyed.client, talk, additional_headers={"X-API-Key": keyed.key}) == [2] * 25
    assert 'code="rate_limited"' not in keyed.client.get("/metrics", headers={"X-API-Key": keyed.key}).text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://elsewhere.example"}, "forbidden_origin"),
        ({"Origin": "null"}, "forbidden_origin"),
        ({"Host": "rebound.example"}, "forbidden_host"),
    ],
)
def test_pages_of_others_open_no_stream(client, headers, code, caplog):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    reply = client.get("/stream", headers=upgrade | headers)
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == code
    assert reply.headers["X-Request-Id"]
    assert client.get("/livez").status_code == 200  # by now the first is over
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_pages_that_may(make_client, converse):
    client = make_client(cors_origins="https://app.example")
    own = f"http://127.0.0.1:{client.base_url.port}"
    for origin in (own, "https://app.example"):
        assert converse(client, lambda stream: stream.end(), origin=origin)["received"] == 0


def test_one_line_in_the_log_and_no_key_in_it(keyed, jpeg, converse, caplog, wait_for):
    async def talk(stream):
        await stream.configure(api_key=keyed.key)
        await stream.send(jpeg)
        await stream.hear()
        return await stream.end()

    with caplog.at_level("INFO", "gateway"):
        converse(keyed.client, talk)
        wait_for(lambda: "stream" in caplog.messages)  # the line is written when all is over
    (line,) = (record for record in caplog.records if record.getMessage() == "stream")
    assert (line.received, line.answered, line.failed, line.dropped, line.code) == (1, 1, 0, 0, 1000)
    assert (line.caller, line.model, line.version) == ("key 'hall'", "shapes", 1)
    assert keyed.key not in str([record.__dict__ for record in caplog.records])


def test_metrics(client, jpeg, converse, metric):
    async def talk(stream):
        await stream.send(jpeg)
        await stream.hear()
        await stream.send(b"no image")
        await stream.hear()
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


def test_a_gateway_that_is_told_to_stop_says_so(run_gateway, serving, jpeg, gate, wait_for):
    with run_gateway() as running:
        url = f"ws://127.0.0.1:{running.client.base_url.port}/stream"

        async def talk():
            async with connect(url, proxy=None) as connection:
                stream = Stream(connection)
                await stream.configure()
                serving.before_predict = lambda request, context: gate.wait(30)
                known = len(serving.predictions)
                await stream.send(jpeg, 1)
                await asyncio.to_thread(wait_for, lambda: len(serving.predictions) > known)
                running.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(wait_for, is_closed)
                gate.set()
                return await stream.hear(), await stream.hear(), await stream.closed()

        def is_closed():
            try:
                httpx.get(f"{running.client.base_url}/livez", trust_env=False)
            except httpx.TransportError:
                return True
            return False

        reply, summary, (code, reason) = asyncio.run(talk())
        assert running.process.wait(30) == 0
    assert (reply.kind, reply.sequence) == (2, 1)
    assert summary == {"type": "summary", "received": 1, "answered": 1, "failed": 0, "dropped": 0}
    assert (code, reason) == (1012, "the gateway is shutting down; connect again in a moment")
