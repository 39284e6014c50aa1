"""Connections that would be kept up for nothing: raw sockets against a gateway of little patience."""

import json
import socket
import ssl
from contextlib import contextmanager

import numpy as np
import pytest

from gateway.transport.http_protocol import TimeoutHttpProtocol
from segstack_testing.gateways import metric
from segstack_testing.images import encode
from segstack_testing.waiting import wait_until


@contextmanager
def connected(client, receive_buffer=None):
    with socket.socket() as raw:
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(20)
        raw.connect((client.base_url.host, client.base_url.port))
        yield raw


def everything(raw):
    """What the gateway says until it closes; a test that waits for ever fails by the socket's own timeout."""
    said = b""
    while chunk := raw.recv(65536):
        said += chunk
    return said


def refusal(said):
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def drip(raw, piece):
    """Send ``piece`` again and again, until the gateway closes; what it said meanwhile."""
    raw.settimeout(0.05)
    said = b""
    for _ in range(400):
        try:
            raw.sendall(piece)
            chunk = raw.recv(65536)
            if not chunk:
                return said
            said += chunk
        except TimeoutError:
            pass
        except ConnectionError:
            return said
    raise AssertionError("still open after 20 s")


@pytest.fixture
def impatient(make_gateway):
    return make_gateway(header_timeout_ms=300)


@pytest.mark.parametrize("begun", [b"G", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_unfinished_headers_are_408(impatient, begun):
    with connected(impatient) as raw:
        raw.sendall(begun)
        assert refusal(everything(raw)) == (408, "header_timeout")
    assert 'segstack_gateway_errors_total{code="header_timeout"} 1.0' in impatient.get("/metrics").text


def test_headers_byte_by_byte_are_408(impatient):
    with connected(impatient) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        assert refusal(drip(raw, b"a")) == (408, "header_timeout")


def test_connection_without_a_request_is_closed_silently(impatient):
    with connected(impatient) as raw:
        assert everything(raw) == b""


def test_empty_lines_do_not_keep_a_connection_open(impatient):
    with connected(impatient) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
        drip(raw, b"\r\n")


def test_endless_headers_are_431(client):
    with connected(client) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        said = drip(raw, b"X-Long: " + b"a" * 8000 + b"\r\n")
        assert refusal(said) == (431, "headers_too_large")


def test_endless_headers_during_a_request_are_431(make_gateway, serving, jpeg, gate):
    serving.before_predict = lambda request, context: gate.wait(30)
    client = make_gateway(deadline_ms=60_000)
    with connected(client) as raw:
        raw.sendall(b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg)
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        said = drip(raw, b"X-Long: " + b"a" * 8000 + b"\r\n")
        assert refusal(said) == (431, "headers_too_large")


def test_pipelined_requests_are_answered_in_order(impatient, jpeg):
    with connected(impatient) as raw:
        raw.sendall(b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg)
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert everything(raw).count(b"HTTP/1.1 200 OK") == 2


def test_connection_is_reused_and_bodies_are_not_counted_as_headers(impatient, jpeg):
    for _ in range(3):
        assert impatient.post("/segment", content=jpeg, headers={"X-Many": "a" * 8000}).status_code == 200
    # Headers and more than 64 KiB of body in one piece are no long headers.
    assert impatient.post("/segment", content=jpeg + bytes(200_000)).status_code in (200, 400)


REFUSED = b"POST /segment?alpha=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"


def test_rest_of_a_refused_body_is_skipped(client):
    with connected(client) as raw:
        for _ in range(3):
            raw.sendall(REFUSED)
            assert raw.recv(65536).startswith(b"HTTP/1.1 422")
            raw.sendall(bytes(200_000))
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")


def test_stalled_rest_of_a_refused_body_closes_the_connection(make_gateway):
    with connected(make_gateway(body_timeout_ms=300)) as raw:
        raw.sendall(REFUSED)
        assert raw.recv(65536).startswith(b"HTTP/1.1 422")
        drip(raw, b"a")


def test_bytes_that_are_no_http_are_400(client):
    with connected(client) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert refusal(everything(raw)) == (400, "bad_request")


# All of a reply may fit between what the kernel takes and what would make the gateway stop writing.
@pytest.mark.parametrize(("ending", "stops_at"), [("", None), ("\r\nConnection: close", 2**30)])
def test_client_that_never_reads_its_reply_is_disconnected(make_gateway, monkeypatch, ending, stops_at):
    connection_made = TimeoutHttpProtocol.connection_made

    def set_up(self, transport):
        transport.set_write_buffer_limits(stops_at)
        connection_made(self, transport)

    monkeypatch.setattr(TimeoutHttpProtocol, "connection_made", set_up)
    client = make_gateway(reply_timeout_ms=300)
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1800, 3), np.uint8)
    sent = encode(noise, "PNG", compress_level=1)
    head = f"POST /segment?output=overlay&format=png&alpha=0 HTTP/1.1\r\nHost: localhost{ending}"
    with connected(client, receive_buffer=4096) as raw:
        raw.sendall(f"{head}\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent)
        wait_until(lambda: 'route="/segment",status="200"' in client.get("/metrics").text)
        wait_until(lambda: metric(client, "segstack_gateway_connections") == 1)  # the one that asks


def test_connection_beyond_max_connections_is_503(make_gateway):
    client = make_gateway(max_connections=1)
    with connected(client), connected(client) as raw:
        said = everything(raw)
        assert refusal(said) == (503, "overloaded")
        assert b"Retry-After: 2" in said
    wait_until(lambda: client.get("/livez").status_code == 200)


def test_header_timeout_holds_over_tls(make_gateway, shared_certificates):
    client = make_gateway(
        ssl.create_default_context(cafile=shared_certificates / "ca.pem"),
        tls_certificate=shared_certificates / "gateway.pem",
        tls_key=shared_certificates / "gateway.key",
        header_timeout_ms=300,
    )
    trusting = ssl.create_default_context(cafile=shared_certificates / "ca.pem")
    with connected(client) as raw, trusting.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\n")
        assert refusal(everything(secure)) == (408, "header_timeout")
