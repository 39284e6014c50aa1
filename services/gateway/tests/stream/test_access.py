"""Access to a stream: API keys, and the origins of browsers' pages."""

import asyncio
import itertools
import json
import time
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus

from gateway.access.control import KEY_NEEDED
from gateway.access.keys import line_of, new_key
from segstack_testing.gateways import make_api_keys, own_records
from segstack_testing.streams import open_stream
from segstack_testing.waiting import scaled, wait_until, wait_until_async

pytestmark = pytest.mark.anyio

KEY_WITHIN_MS = round(scaled(500))


@pytest.fixture
def keyed(make_gateway, tmp_path):
    """A gateway with one key, of ten requests a second, and the key."""
    file = tmp_path / "keys"
    (key,) = make_api_keys(file, "hall", suffix=":10")
    return SimpleNamespace(client=make_gateway(api_keys_file=file), key=key, file=file)


@pytest.fixture
def short_timeouts(make_gateway, tmp_path):
    """A gateway that waits `KEY_WITHIN_MS` for a key."""
    make_api_keys(tmp_path / "keys", "hall")
    return make_gateway(api_keys_file=tmp_path / "keys", header_timeout_ms=KEY_WITHIN_MS)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", None])
async def test_key_is_accepted_in_the_handshake_or_in_configure(keyed, jpeg, header):
    value = f"Bearer {keyed.key}" if header == "Authorization" else keyed.key
    async with open_stream(keyed.client, additional_headers={header: value} if header else {}) as stream:
        if header is None:
            assert (await stream.configure(api_key=keyed.key))["type"] == "configured"
        await stream.send(jpeg)
        assert (await stream.receive()).kind == 2


async def test_canary_selects_a_key_as_over_http(make_gateway, serving, tmp_path, jpeg):
    serving.publish("shapes", 2)
    keys = make_api_keys(tmp_path / "keys", "hall", "yard", "gate", "dock", "roof")
    client = make_gateway(api_keys_file=tmp_path / "keys", canary="shapes:1=0.5")
    over_http, over_streams = [], []
    for key in keys:
        reply = client.post("/segment", content=jpeg, headers={"X-API-Key": key})
        over_http.append(int(reply.headers["X-Model-Version"]))
        async with open_stream(client) as stream:
            over_streams.append((await stream.configure(api_key=key))["version"])
    assert set(over_http) == {1, 2}
    assert over_streams == over_http


async def test_configure_without_a_valid_key_is_refused_and_then_closed(short_timeouts):
    async with open_stream(short_timeouts) as stream:
        replies = [await stream.configure(**given) for given in ({}, {"api_key": "guess"})]
        code, reason = await stream.closed()
    assert [reply["error"]["code"] for reply in replies] == ["unauthorized", "forbidden"]
    assert code == 1008
    assert "api_key" in reason
    assert f"{KEY_WITHIN_MS} ms" in reason


async def test_frame_before_a_key_closes_the_stream(keyed, jpeg):
    async with open_stream(keyed.client) as stream:
        await stream.send(jpeg)
        assert await stream.closed() == (1008, KEY_NEEDED)


async def test_wrong_key_in_the_handshake_is_403(keyed):
    with pytest.raises(InvalidStatus) as refused:
        async with open_stream(keyed.client, additional_headers={"X-API-Key": "guess"}):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "forbidden"


async def test_messages_of_an_unauthenticated_client_do_not_extend_its_time(short_timeouts):
    async with open_stream(short_timeouts) as stream:

        async def keep_guessing():
            for guess in itertools.count():
                await stream.send_text(type="configure", api_key=str(guess))
                await asyncio.sleep(0.1)

        guessing = asyncio.create_task(keep_guessing())
        try:
            code, reason = await stream.closed()
        finally:
            guessing.cancel()
    assert code == 1008
    assert "api_key" in reason
    assert f"{KEY_WITHIN_MS} ms" in reason


async def test_unauthenticated_streams_do_not_count_towards_max_streams(keyed, make_gateway):
    client = make_gateway(api_keys_file=keyed.file, max_streams=1)
    async with open_stream(client) as late, late.another(), late.another() as first:
        assert (await first.configure(api_key=keyed.key))["type"] == "configured"
        await late.send_text(type="configure", api_key=keyed.key)
        code, reason = await late.closed()
    assert code == 1013
    assert "1 streams are open" in reason


async def test_withdrawn_key_closes_its_streams(keyed, jpeg):
    async with open_stream(keyed.client, additional_headers={"X-API-Key": keyed.key}) as stream:
        await stream.send(jpeg)
        await stream.receive()
        keyed.file.write_text(line_of("other", new_key()) + "\n")
        await stream.send(jpeg)
        code, reason = await stream.closed()
    assert code == 1008
    assert "API key" in reason


async def test_rate_limit_delays_frames_without_an_error(keyed, jpeg):
    async with open_stream(keyed.client, additional_headers={"X-API-Key": keyed.key}) as stream:
        started_at = time.monotonic()
        for sequence in range(25):  # the bucket holds 20
            await stream.send(jpeg, sequence)
            assert (await stream.receive()).kind == 2
        assert time.monotonic() - started_at > 0.4  # five more, at ten a second
    assert 'code="rate_limited"' not in keyed.client.get("/metrics", headers={"X-API-Key": keyed.key}).text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://elsewhere.example"}, "forbidden_origin"),
        ({"Origin": "null"}, "forbidden_origin"),
        ({"Host": "rebound.example"}, "forbidden_host"),
    ],
)
def test_page_of_another_origin_gets_403(make_gateway, headers, code, caplog):
    client = make_gateway()
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
    counted = f'segstack_gateway_errors_total{{code="{code}"}} 1.0'
    wait_until(lambda: counted in client.get("/metrics").text)  # by now the first request is over
    assert not [record for record in own_records(caplog) if record.levelname == "ERROR"]


async def test_own_pages_and_cors_origins_may_open_streams(make_gateway):
    client = make_gateway(cors_origins="https://app.example")
    for origin in (f"http://127.0.0.1:{client.base_url.port}", "https://app.example"):
        async with open_stream(client, origin=origin) as stream:
            assert stream.connection.response.headers["X-Request-Id"]
            assert (await stream.end())["received"] == 0


async def test_stream_is_one_log_line_without_the_key(keyed, jpeg, caplog):
    with caplog.at_level("INFO", "gateway"):
        async with open_stream(keyed.client) as stream:
            await stream.configure(api_key=keyed.key)
            await stream.send(jpeg)
            await stream.receive()
            await stream.end()
        await wait_until_async(lambda: "stream" in caplog.messages)  # written when the stream has ended
    (line,) = (record for record in caplog.records if record.getMessage() == "stream")
    assert (line.received, line.answered, line.failed, line.dropped, line.code) == (1, 1, 0, 0, 1000)
    assert (line.caller, line.model, line.version) == ("key 'hall'", "shapes", 1)
    assert keyed.key not in str([record.__dict__ for record in caplog.records])
