"""Streams that hold a connection or memory without a purpose: raw sockets, a gateway with short time limits."""

import asyncio
import re
import struct
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from gateway.access.control import KEY_NEEDED
from gateway.request.deps import AppState
from gateway.settings import Settings
from gateway.transport.websocket_protocol import TimeoutWebSocketProtocol
from segstack_testing.gateways import make_api_keys, metric, own_records
from segstack_testing.images import encode
from segstack_testing.raw_http import raw_connection, read_until_closed
from segstack_testing.waiting import scaled, wait_until

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0
HANDSHAKE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FRAME_HEADER = struct.pack("<BBHId", 1, 1, 0, 7, 0)
END = b'{"type": "end"}'


def message(opcode, payload=b"", *, fin=True):
    """A client's WebSocket frame (RFC 6455, section 5.2), masked with zeros."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xff" + struct.pack(">Q", length)
    return bytes([0x80 * fin | opcode]) + size + bytes(4) + payload


@contextmanager
def raw_stream(client, receive_buffer=None):
    """A socket after a successful handshake."""
    with raw_connection(client, receive_buffer) as raw:
        raw.sendall(HANDSHAKE)
        received = b""
        while b"\r\n\r\n" not in received:
            received += raw.recv(1)
        assert received.startswith(b"HTTP/1.1 101 ")
        assert b"permessage-deflate" not in received.lower()
        yield raw


def read_until_close_frame(raw):
    """All that comes up to a close with code 1000, which is then answered as RFC 6455 requires."""
    received = b""
    while b"\x88\x02\x03\xe8" not in received:
        received += raw.recv(65536)
    raw.sendall(message(CLOSE))
    assert raw.recv(1) == b""
    return received


def close_frame(received):
    """Code and reason of the close frame at the end."""
    *_, close = re.finditer(rb"\x88[\x02-\x7d]", received)
    return struct.unpack_from(">H", received, close.end())[0], received[close.end() + 2 :].decode()


def noise_image(kind, **options):
    return encode(np.random.default_rng(9).integers(0, 256, (480, 640, 3), np.uint8), kind, **options)


def test_stream_outlives_the_header_timeout(make_gateway):
    client = make_gateway(header_timeout_ms=500)
    with raw_stream(client) as raw:
        raw.settimeout(1)
        with pytest.raises(TimeoutError):
            raw.recv(1)
        raw.settimeout(scaled(10))
        raw.sendall(message(TEXT, END))
        assert close_frame(read_until_close_frame(raw)) == (1000, "")


def test_client_that_never_reads_is_disconnected(make_gateway):
    """Inference stops while replies are not read, frames are still received, and then the stream is closed."""
    client = make_gateway(reply_timeout_ms=600)
    frame = struct.pack("<BBHId", 1, 1, 0, 0, 0) + noise_image("JPEG", quality=30)
    with raw_stream(client, receive_buffer=4096) as raw:
        raw.sendall(message(TEXT, b'{"type": "configure", "output": "overlay", "alpha": 0}'))

        def is_disconnected():
            try:
                raw.sendall(message(BINARY, frame))
            except ConnectionError:
                return True
            return metric(client, "segstack_gateway_streams") == 0

        wait_until(is_disconnected)
        unread = read_until_closed(raw, or_reset=True)
    received = metric(client, "segstack_gateway_frames_received_total")
    answered = float(re.search(r'frames_total{outcome="answered"} (\S+)', client.get("/metrics").text)[1])
    assert received > answered + 2
    assert len(unread) < 2**20
    code, reason = close_frame(unread)
    assert code == 1008
    assert "600 ms" in reason
    wait_until(lambda: metric(client, "segstack_gateway_connections") == 1)


def test_frame_that_arrives_byte_by_byte_is_abandoned(make_gateway):
    with raw_stream(make_gateway(stream_idle_timeout_ms=300)) as raw:
        raw.sendall(message(BINARY, bytes(1000))[:100])
        raw.settimeout(0.02)
        for _ in range(1000):
            try:
                raw.sendall(b"a")
                received = raw.recv(1000)
                break
            except TimeoutError:
                pass
        assert close_frame(received)[0] == 1008


@pytest.fixture
def keyed(make_gateway, tmp_path):
    """A gateway with a key, and the key."""
    (key,) = make_api_keys(tmp_path / "keys", "hall")
    return make_gateway(api_keys_file=tmp_path / "keys"), key


def test_little_is_buffered_for_an_unauthenticated_client(keyed):
    client, _ = keyed
    with raw_stream(client) as raw:
        raw.sendall(message(BINARY, bytes(2_000_000))[:1_900_000])
        assert close_frame(read_until_closed(raw, or_reset=True)) == (1008, KEY_NEEDED)


def test_key_and_large_frame_may_arrive_together(keyed):
    client, key = keyed
    frame = struct.pack("<BBHId", 1, 1, 0, 0, 0) + noise_image("PNG")
    with raw_stream(client) as raw:
        configure = b'{"type": "configure", "api_key": "%s"}' % key.encode()
        raw.sendall(message(TEXT, configure) + message(BINARY, frame) + message(TEXT, END))
        assert b'"answered":1' in read_until_close_frame(raw)


@pytest.mark.anyio
async def test_little_is_buffered_after_a_close():
    async with connection() as (protocol, written, _):
        await protocol.send({"type": "websocket.close", "code": 1013, "reason": "too many"})
        protocol.data_received(message(BINARY, bytes(2_000_000))[:100_000])
        for _ in range(15):
            protocol.data_received(bytes(100_000))
        assert len(protocol.conn.reader.buffer) < 200_000
    assert close_frame(b"".join(written)) == (1013, "too many")


def test_text_message_over_64_kib_closes_the_stream(client):
    with raw_stream(client) as raw:
        raw.sendall(message(TEXT, b"[" * 70_000))
        code, reason = close_frame(read_until_closed(raw, or_reset=True))
    assert code == 1009
    assert "65536 bytes" in reason


def test_message_of_endless_fragments_closes_the_stream(client):
    with raw_stream(client) as raw:
        raw.sendall(message(BINARY, fin=False) + 5000 * message(CONT, fin=False))
        code, reason = close_frame(read_until_closed(raw, or_reset=True))
    assert code == 1009
    assert "1024 fragments" in reason


def test_message_in_fragments_is_one_frame(client, jpeg):
    frame = FRAME_HEADER + jpeg
    with raw_stream(client) as raw:
        raw.sendall(message(BINARY, frame[:10], fin=False) + message(CONT, frame[10:500], fin=False))
        raw.sendall(message(PING) + message(CONT, frame[500:]) + message(TEXT, END))
        assert b'"answered":1' in read_until_close_frame(raw)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        pytest.param(b"\xff" * 100, 1002, id="reserved bits"),
        pytest.param(message(TEXT, b"\xff\xfe"), 1007, id="text that is not UTF-8"),
        pytest.param(message(CONT), 1002, id="continuation of nothing"),
        pytest.param(b"\x82\x05hello", 1002, id="not masked"),
    ],
)
def test_invalid_websocket_frame_closes_the_stream(client, garbage, code):
    with raw_stream(client) as raw:
        raw.sendall(garbage)
        assert close_frame(read_until_closed(raw, or_reset=True))[0] == code


@pytest.mark.parametrize("headers", [[b"Cookie: " + 9000 * b"a"], [b"X-%d: 1" % n for n in range(150)]])
def test_handshake_with_too_many_headers_is_431(client, headers):
    with raw_connection(client) as raw:
        raw.sendall(HANDSHAKE.removesuffix(b"\r\n") + b"\r\n".join([*headers, b"", b""]))
        assert read_until_closed(raw, or_reset=True).startswith(b"HTTP/1.1 431 ")


def test_garbage_during_an_inference_logs_no_error(client, serving, jpeg, gate, caplog):
    assert client.post("/segment", content=jpeg).status_code == 200  # the card is known from here on
    serving.before_predict = lambda request, context: gate.wait(30)
    with raw_stream(client) as raw:
        raw.sendall(message(BINARY, FRAME_HEADER + jpeg))
        wait_until(lambda: len(serving.inferences) == 2)
        raw.sendall(b"\xff" * 100)
        assert b"\x03\xea" in raw.recv(100)  # 1002
        gate.set()
        wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)
    assert not [record for record in own_records(caplog) if record.levelname == "ERROR"]


@asynccontextmanager
async def connection():
    """A protocol without a network: itself, what is written to the client, and what the application receives.

    The application accepts the stream, and after its first message tries to send one.
    """
    written, received = [], []
    transport = SimpleNamespace(
        write=written.append,
        is_closing=lambda: False,
        get_extra_info=lambda name: None,
        close=lambda: None,
        abort=lambda: None,
        pause_reading=lambda: None,
        resume_reading=lambda: None,
    )
    accepted = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        accepted.set()
        received.append(await receive())
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "too late"})

    config = uvicorn.Config(app, log_config=None, ws_per_message_deflate=False)
    config.load()
    metrics = SimpleNamespace(connections=SimpleNamespace(set=lambda count: None))
    state: dict = {}
    AppState.store_in(SimpleNamespace(metrics=metrics), state)
    protocol = TimeoutWebSocketProtocol(Settings(), config=config, server_state=ServerState(), app_state=state)
    protocol.connection_made(transport)
    protocol.data_received(HANDSHAKE)
    await accepted.wait()
    (task,) = protocol.tasks
    try:
        yield protocol, written, received
    finally:
        protocol.connection_lost(None)
        await task


@pytest.mark.anyio
async def test_pings_are_not_answered_while_replies_are_not_read():
    async with connection() as (protocol, written, _):
        protocol.pause_writing()
        protocol.data_received(1000 * message(PING, b"ping"))
        assert len(written) == 1  # the handshake
        protocol.resume_writing()
        protocol.data_received(message(PING, b"pong"))
    assert written[1] == bytes([0x80 | PONG, 4]) + b"pong"


@pytest.mark.anyio
async def test_client_that_answers_no_pings_is_disconnected_at_once():
    """Although the network may report it only minutes later."""
    async with connection() as (protocol, _, received):
        protocol.pause_writing()
        protocol.keepalive_timeout()
        async with asyncio.timeout(30):
            await asyncio.wait(protocol.tasks)
    (disconnect,) = received
    assert (disconnect["type"], disconnect["code"]) == ("websocket.disconnect", 1011)
    assert "pings" in disconnect["reason"]
