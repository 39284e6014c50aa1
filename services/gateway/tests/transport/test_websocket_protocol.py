"""Streams that would be kept up, or filled up, for nothing: raw sockets against a gateway of little patience."""

import asyncio
import re
import socket
import struct
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from gateway.access.control import KEY_NEEDED
from gateway.access.keys import line_of, new_key
from gateway.settings import Settings
from gateway.transport.websocket_protocol import ImpatientWebSocket
from segstack_testing.gateways import metric
from segstack_testing.images import encode
from segstack_testing.waiting import wait_until

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0
HANDSHAKE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def wire(opcode, payload=b"", *, fin=True):
    """A client's WebSocket frame (RFC 6455, section 5.2), masked with zeros."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xff" + struct.pack(">Q", length)
    return bytes([0x80 * fin | opcode]) + size + bytes(4) + payload


@contextmanager
def opened(client, receive_buffer=None):
    with socket.socket() as raw:
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(20)
        raw.connect((client.base_url.host, client.base_url.port))
        raw.sendall(HANDSHAKE)
        said = b""
        while b"\r\n\r\n" not in said:
            said += raw.recv(1)
        assert said.startswith(b"HTTP/1.1 101 ")
        assert b"permessage-deflate" not in said.lower()
        yield raw


def everything(raw):
    """What the gateway says until it closes; a test that waits for ever fails by the socket's own timeout."""
    said = b""
    try:
        while chunk := raw.recv(65536):
            said += chunk
    except ConnectionError:
        pass
    return said


def until_closing(raw):
    """As a client that answers a close with its own."""
    said = b""
    while b"\x88\x02\x03\xe8" not in said:
        said += raw.recv(65536)
    raw.sendall(wire(CLOSE))
    assert raw.recv(1) == b""
    return said


def ending(said):
    """Code and reason of the close frame at the end."""
    *_, close = re.finditer(rb"\x88[\x02-\x7d]", said)
    return struct.unpack_from(">H", said, close.end())[0], said[close.end() + 2 :].decode()


def test_a_stream_outlives_the_patience_for_headers(make_gateway, jpeg):
    client = make_gateway(header_timeout_ms=200)
    with opened(client) as raw:
        raw.settimeout(0.6)
        with pytest.raises(TimeoutError):
            raw.recv(1)
        raw.settimeout(20)
        raw.sendall(wire(TEXT, b'{"type": "end"}'))
        assert ending(until_closing(raw)) == (1000, "")


def test_a_client_that_never_reads(make_gateway):
    """Work stops when the replies are not read, reading goes on, and then there is an end to it."""
    client = make_gateway(reply_timeout_ms=1_000)
    noise = np.random.default_rng(9).integers(0, 256, (480, 640, 3), np.uint8)
    photo = struct.pack("<BBHId", 1, 1, 0, 0, 0) + encode(noise, "JPEG", quality=30)
    with opened(client, receive_buffer=4096) as raw:
        raw.sendall(wire(TEXT, b'{"type": "configure", "output": "overlay", "alpha": 0}'))

        def is_given_up():
            try:
                raw.sendall(wire(BINARY, photo))
            except ConnectionError:
                return True
            return metric(client, "segstack_gateway_streams") == 0

        wait_until(is_given_up)
        said = everything(raw)
    received = metric(client, "segstack_gateway_frames_received_total")
    answered = float(re.search(r'frames_total{outcome="answered"} (\S+)', client.get("/metrics").text)[1])
    assert received > answered + 2
    assert len(said) < 2**20
    assert ending(said) == (1008, "what was sent has not been read for 1000 ms")
    wait_until(lambda: metric(client, "segstack_gateway_connections") == 1)


def test_a_frame_that_drips(make_gateway):
    with opened(make_gateway(stream_idle_timeout_ms=300)) as raw:
        raw.sendall(wire(BINARY, bytes(1000))[:100])
        raw.settimeout(0.02)
        for _ in range(1000):
            try:
                raw.sendall(b"a")
                said = raw.recv(1000)
                break
            except TimeoutError:
                pass
        assert ending(said)[0] == 1008


@pytest.fixture
def keyed(make_gateway, tmp_path):
    """A gateway with a key, and the key."""
    key = new_key()
    (tmp_path / "keys").write_text(line_of("hall", key) + "\n")
    return make_gateway(api_keys_file=tmp_path / "keys"), key


def test_of_a_stranger_little_is_held(keyed):
    client, _ = keyed
    with opened(client) as raw:
        raw.sendall(wire(BINARY, bytes(2_000_000))[:1_900_000])
        assert ending(everything(raw)) == (1008, KEY_NEEDED)


def test_a_key_and_a_large_frame_may_come_in_one_piece(keyed):
    client, key = keyed
    noise = np.random.default_rng(9).integers(0, 256, (480, 640, 3), np.uint8)
    photo = struct.pack("<BBHId", 1, 1, 0, 0, 0) + encode(noise, "PNG")
    with opened(client) as raw:
        configure = b'{"type": "configure", "api_key": "%s"}' % key.encode()
        raw.sendall(wire(TEXT, configure) + wire(BINARY, photo) + wire(TEXT, b'{"type": "end"}'))
        assert b'"answered":1' in until_closing(raw)


def test_after_a_close_little_is_held(play):
    async def act(protocol, written):
        await protocol.send({"type": "websocket.close", "code": 1013, "reason": "no place"})
        protocol.data_received(wire(BINARY, bytes(2_000_000))[:100_000])
        for _ in range(15):
            protocol.data_received(bytes(100_000))
        assert len(protocol.conn.reader.buffer) < 200_000

    written, _ = play(act)
    assert ending(b"".join(written)) == (1013, "no place")


def test_a_text_that_is_too_long(client):
    with opened(client) as raw:
        raw.sendall(wire(TEXT, b"[" * 70_000))
        assert ending(everything(raw)) == (1009, "a text message has more than 65536 bytes")


def test_a_message_of_endless_fragments(client):
    with opened(client) as raw:
        raw.sendall(wire(BINARY, fin=False) + 5000 * wire(CONT, fin=False))
        assert ending(everything(raw)) == (1009, "a message has more than 1024 fragments; send fewer")


def test_a_message_in_fragments_is_one_frame(client, jpeg):
    message = struct.pack("<BBHId", 1, 1, 0, 7, 0) + jpeg
    with opened(client) as raw:
        raw.sendall(wire(BINARY, message[:10], fin=False) + wire(CONT, message[10:500], fin=False))
        raw.sendall(wire(PING) + wire(CONT, message[500:]) + wire(TEXT, b'{"type": "end"}'))
        assert b'"answered":1' in until_closing(raw)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\xff" * 100, 1002),
        (wire(TEXT, b"\xff\xfe"), 1007),
        (wire(CONT), 1002),
        (b"\x82\x05hello", 1002),
    ],
)
def test_what_is_no_websocket_frame(client, garbage, code):
    with opened(client) as raw:
        raw.sendall(garbage)
        assert ending(everything(raw))[0] == code


@pytest.mark.parametrize("headers", [[b"Cookie: " + 9000 * b"a"], [b"X-%d: 1" % n for n in range(150)]])
def test_a_handshake_of_too_much_is_refused(client, headers):
    with socket.socket() as raw:
        raw.settimeout(20)
        raw.connect((client.base_url.host, client.base_url.port))
        raw.sendall(HANDSHAKE.removesuffix(b"\r\n") + b"\r\n".join([*headers, b"", b""]))
        assert everything(raw).startswith(b"HTTP/1.1 431 ")


def test_garbage_while_a_frame_is_inferred_is_no_fault(client, serving, jpeg, gate, caplog):
    assert client.post("/segment", content=jpeg).status_code == 200  # or the first call is for the card
    known = len(serving.predictions)
    serving.before_predict = lambda request, context: gate.wait(30)
    with opened(client) as raw:
        raw.sendall(wire(BINARY, struct.pack("<BBHId", 1, 1, 0, 7, 0) + jpeg))
        wait_until(lambda: len(serving.predictions) > known)
        raw.sendall(b"\xff" * 100)
        assert b"\x03\xea" in raw.recv(100)  # 1002
        gate.set()
        wait_until(lambda: metric(client, "segstack_gateway_streams") == 0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.fixture
def play():
    """``play(act)``: awaits ``act(protocol, accepted)`` on a connection to nobody; gives what was written to it, and
    what the application met."""

    def run(act):
        written, met = [], []
        transport = SimpleNamespace(
            write=written.append,
            is_closing=lambda: False,
            get_extra_info=lambda name: None,
            close=lambda: None,
            abort=lambda: None,
            pause_reading=lambda: None,
            resume_reading=lambda: None,
        )

        async def perform():
            accepted = asyncio.Event()

            async def app(scope, receive, send):
                await receive()
                await send({"type": "websocket.accept"})
                accepted.set()
                met.append(await receive())
                with pytest.raises(ClientDisconnected):
                    await send({"type": "websocket.send", "text": "too late"})

            config = uvicorn.Config(app, log_config=None, ws_per_message_deflate=False)
            config.load()
            metrics = SimpleNamespace(connections=SimpleNamespace(set=lambda count: None))
            state = {"gateway": SimpleNamespace(metrics=metrics)}
            protocol = ImpatientWebSocket(Settings(), config=config, server_state=ServerState(), app_state=state)
            protocol.connection_made(transport)
            protocol.data_received(HANDSHAKE)
            await accepted.wait()
            (task,) = protocol.tasks
            try:
                await act(protocol, written)
            finally:
                protocol.connection_lost(None)
                await task

        asyncio.run(perform())
        return written, met

    return run


def test_pings_are_not_answered_while_answers_are_not_read(play):
    unread = []

    async def act(protocol, written):
        protocol.pause_writing()
        protocol.data_received(1000 * wire(PING, b"ping"))
        unread.extend(written)
        protocol.resume_writing()
        protocol.data_received(wire(PING, b"pong"))

    written, _ = play(act)
    assert len(unread) == 1  # the handshake
    assert written[1] == bytes([0x80 | PONG, 4]) + b"pong"


def test_who_answers_no_pings_is_given_up_at_once(play):
    """The network may know of it only minutes later."""

    async def act(protocol, written):
        protocol.pause_writing()
        protocol.keepalive_timeout()
        async with asyncio.timeout(30):
            await asyncio.wait(protocol.tasks)

    _, met = play(act)
    assert met == [{"type": "websocket.disconnect", "code": 1011, "reason": "no answer to pings"}]
