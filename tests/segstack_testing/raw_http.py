"""Bare sockets to a gateway, for requests that no HTTP client sends; unused ports."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from segstack_testing.waiting import scaled


@contextmanager
def raw_connection(client: httpx.Client, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """A TCP connection to the client's gateway, with a time limit on every operation."""
    with socket.socket() as raw:
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(scaled(10))
        raw.connect((client.base_url.host, client.base_url.port))
        yield raw


def read_until_closed(raw: socket.socket, *, or_reset: bool = False) -> bytes:
    """All that the gateway sends until it closes the connection.

    ``or_reset``: or until it resets it, as it may where the client was still sending.
    """
    received = b""
    with suppress(*([ConnectionError] if or_reset else [])):
        while chunk := raw.recv(65536):
            received += chunk
    return received


def error_reply(received: bytes) -> tuple[int, str]:
    """Status and error code of a JSON error reply that ends its connection."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def post_segment(body: bytes, query: str = "", headers: str = "") -> bytes:
    """The bytes of a POST /segment; ``headers`` are further lines, each ended by CR LF."""
    head = f"POST /segment{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens, for a program that cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def held_port() -> int:
    """A port of 127.0.0.1 for a server that sets SO_REUSEADDR: nothing else is given it until this process ends.

    On Linux, a socket that is bound but does not listen is not in the way of such a server.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    if sys.platform == "linux":
        holder.detach()
    else:
        holder.close()
    return port
