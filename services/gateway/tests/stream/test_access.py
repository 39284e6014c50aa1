"""Who may open a stream: keys, and pages of a browser's."""

import asyncio
import itertools
import json
from functools import partial
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus

from gateway.access.keys import line_of, new_key
from segstack_testing.waiting import wait_until


@pytest.fixture
def keyed(make_gateway, tmp_path):
    """A gateway with one key, of ten requests a second, and the key."""
    key, keys = new_key(), tmp_path / "keys"
    keys.write_text(line_of("hall", key) + ":10\n")
    return SimpleNamespace(client=make_gateway(api_keys_file=keys, header_timeout_ms=2_000), key=key, file=keys)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", None])
def test_a_key_in_the_handshake_or_in_configure(keyed, jpeg, converse, header):
    async def talk(stream):
        if header is None:
            assert (await stream.configure(api_key=keyed.key))["type"] == "configured"
        await stream.send(jpeg)
        return await stream.receive()

    value = f"Bearer {keyed.key}" if header == "Authorization" else keyed.key
    reply = converse(keyed.client, talk, additional_headers={header: value} if header else {})
    assert reply.kind == 2


def test_a_key_falls_to_the_canary_as_it_does_over_http(make_gateway, serving, tmp_path, jpeg, converse):
    serving.publish("shapes", 2)
    keys = {name: new_key() for name in ("hall", "yard", "gate", "dock", "roof")}
    (tmp_path / "keys").write_text("".join(f"{line_of(name, key)}\n" for name, key in keys.items()))
    client = make_gateway(api_keys_file=tmp_path / "keys", canary="shapes:1=0.5")

    async def told(stream, key):
        return (await stream.configure(api_key=key))["version"]

    over_http = [
        int(client.post("/segment", content=jpeg, headers={"X-API-Key": key}).headers["X-Model-Version"])
        for key in keys.values()
    ]
    assert set(over_http) == {1, 2}
    assert [converse(client, partial(told, key=key)) for key in keys.values()] == over_http


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
                await stream.send_text(type="configure", api_key=str(guess))
                await asyncio.sleep(0.3)

        talking = asyncio.create_task(keep_talking())
        try:
            return await stream.closed()
        finally:
            talking.cancel()

    code, reason = converse(keyed.client, talk)
    assert (code, reason.partition(";")[0]) == (1008, "no configure message with a valid api_key came for 2000 ms")


def test_strangers_take_no_place(keyed, make_gateway, jpeg, converse):
    client = make_gateway(api_keys_file=keyed.file, max_streams=1)

    async def talk(stranger):
        async with stranger.another() as late, stranger.another() as known:
            told = await known.configure(api_key=keyed.key)
            await late.send_text(type="configure", api_key=keyed.key)
            return told["type"], await late.closed()

    told, refused = converse(client, talk)
    assert told == "configured"
    assert refused == (1013, "1 streams are open, which is the most; try again in a moment")


def test_a_key_that_is_withdrawn_ends_its_streams(keyed, jpeg, converse):
    async def talk(stream):
        await stream.send(jpeg)
        await stream.receive()
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
            kinds.append((await stream.receive()).kind)
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


def test_pages_that_may(make_gateway, converse):
    client = make_gateway(cors_origins="https://app.example")
    own = f"http://127.0.0.1:{client.base_url.port}"
    for origin in (own, "https://app.example"):
        assert converse(client, lambda stream: stream.end(), origin=origin)["received"] == 0


def test_one_line_in_the_log_and_no_key_in_it(keyed, jpeg, converse, caplog):
    async def talk(stream):
        await stream.configure(api_key=keyed.key)
        await stream.send(jpeg)
        await stream.receive()
        return await stream.end()

    with caplog.at_level("INFO", "gateway"):
        converse(keyed.client, talk)
        wait_until(lambda: "stream" in caplog.messages)  # the line is written when all is over
    (line,) = (record for record in caplog.records if record.getMessage() == "stream")
    assert (line.received, line.answered, line.failed, line.dropped, line.code) == (1, 1, 0, 0, 1000)
    assert (line.caller, line.model, line.version) == ("key 'hall'", "shapes", 1)
    assert keyed.key not in str([record.__dict__ for record in caplog.records])
