"""Connections held open without a purpose: raw sockets against a gateway with short time limits."""

import ssl

import numpy as np
import pytest

from gateway.transport.http_protocol import TimeoutHttpProtocol
from segstack_testing.gateways import metric
from segstack_testing.images import encode
from segstack_testing.raw_http import error_reply, post_segment, raw_connection, read_until_closed
from segstack_testing.waiting import scaled, wait_until


def send_repeatedly(raw, piece):
    """Send ``piece`` every 50 ms until the gateway closes; all that it sent meanwhile."""
    raw.settimeout(0.05)
    received = b""
    for _ in range(400):
        try:
            raw.sendall(piece)
            chunk = raw.recv(65536)
            if not chunk:
                return received
            received += chunk
        except TimeoutError:
            pass
        except ConnectionError:
            return received
    raise AssertionError("still open after 20 s")


@pytest.fixture
def short_timeouts(make_gateway):
    return make_gateway(header_timeout_ms=round(scaled(300)))


@pytest.mark.parametrize("begun", [b"G", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_unfinished_headers_are_408(short_timeouts, begun):
    with raw_connection(short_timeouts) as raw:
        raw.sendall(begun)
        assert error_reply(read_until_closed(raw)) == (408, "header_timeout")
    assert 'segstack_gateway_errors_total{code="header_timeout"} 1.0' in short_timeouts.get("/metrics").text


def test_headers_byte_by_byte_are_408(short_timeouts):
    with raw_connection(short_timeouts) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        assert error_reply(send_repeatedly(raw, b"a")) == (408, "header_timeout")


def test_connection_without_a_request_is_closed_silently(short_timeouts):
    with raw_connection(short_timeouts) as raw:
        assert read_until_closed(raw) == b""


def test_empty_lines_do_not_keep_a_connection_open(short_timeouts):
    with raw_connection(short_timeouts) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
        send_repeatedly(raw, b"\r\n")


def test_endless_headers_are_431(client):
    with raw_connection(client) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        received = send_repeatedly(raw, b"X-Long: " + b"a" * 8000 + b"\r\n")
        assert error_reply(received) == (431, "headers_too_large")


def test_endless_headers_during_a_request_are_431(make_gateway, serving, jpeg, gate):
    serving.before_predict = lambda request, context: gate.wait(30)
    client = make_gateway(deadline_ms=60_000)
    with raw_connection(client) as raw:
        raw.sendall(post_segment(jpeg))
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        received = send_repeatedly(raw, b"X-Long: " + b"a" * 8000 + b"\r\n")
        assert error_reply(received) == (431, "headers_too_large")


def test_pipelined_requests_are_answered_in_order(short_timeouts, jpeg):
    with raw_connection(short_timeouts) as raw:
        raw.sendall(post_segment(jpeg))
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_until_closed(raw).count(b"HTTP/1.1 200 OK") == 2


def test_connection_is_reused_and_bodies_are_not_counted_as_headers(short_timeouts, jpeg):
    for _ in range(3):
        assert short_timeouts.post("/segment", content=jpeg, headers={"X-Many": "a" * 8000}).status_code == 200
    # More than 64 KiB of body that arrive with the headers are not counted as headers.
    assert short_timeouts.post("/segment", content=jpeg + bytes(200_000)).status_code in (200, 400)


REFUSED = b"POST /segment?alpha=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"


def test_rest_of_a_refused_body_is_skipped(client):
    with raw_connection(client) as raw:
        for _ in range(3):
            raw.sendall(REFUSED)
            assert raw.recv(65536).startswith(b"HTTP/1.1 422")
            raw.sendall(bytes(200_000))
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")


def test_stalled_rest_of_a_refused_body_closes_the_connection(make_gateway):
    with raw_connection(make_gateway(body_timeout_ms=300)) as raw:
        raw.sendall(REFUSED)
        assert raw.recv(65536).startswith(b"HTTP/1.1 422")
        send_repeatedly(raw, b"a")


def test_bytes_that_are_no_http_are_400(client):
    with raw_connection(client) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert error_reply(read_until_closed(raw)) == (400, "bad_request")


# A whole reply may fit into the kernel's buffer and the one at which the gateway stops writing.
@pytest.mark.parametrize(("headers", "stops_at"), [("", None), ("Connection: close\r\n", 2**30)])
def test_client_that_never_reads_its_reply_is_disconnected(make_gateway, monkeypatch, headers, stops_at):
    connection_made = TimeoutHttpProtocol.connection_made

    def set_up(self, transport):
        transport.set_write_buffer_limits(stops_at)
        connection_made(self, transport)

    monkeypatch.setattr(TimeoutHttpProtocol, "connection_made", set_up)
    client = make_gateway(reply_timeout_ms=300)
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1800, 3), np.uint8)
    sent = encode(noise, "PNG", compress_level=1)
    with raw_connection(client, receive_buffer=4096) as raw:
        raw.sendall(post_segment(sent, "?form=overlay&format=png&alpha=0", headers))
        wait_until(lambda: 'route="/segment",status="200"' in client.get("/metrics").text)
        wait_until(lambda: metric(client, "segstack_gateway_connections") == 1)  # the one that reads the metrics


def test_connection_beyond_max_connections_is_503(make_gateway):
    client = make_gateway(max_connections=1)
    with raw_connection(client), raw_connection(client) as raw:
        received = read_until_closed(raw)
        assert error_reply(received) == (503, "overloaded")
        assert b"Retry-After: 2" in received
    wait_until(lambda: client.get("/livez").status_code == 200)


def test_header_timeout_holds_over_tls(make_gateway, shared_certificates):
    client = make_gateway(
        ssl.create_default_context(cafile=shared_certificates / "ca.pem"),
        tls_certificate=shared_certificates / "gateway.pem",
        tls_key=shared_certificates / "gateway.key",
        header_timeout_ms=round(scaled(300)),
    )
    trusting = ssl.create_default_context(cafile=shared_certificates / "ca.pem")
    with raw_connection(client) as raw, trusting.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\n")
        assert error_reply(read_until_closed(secure)) == (408, "header_timeout")
