"""What both kinds of stream, in threads and in asyncio, have in common about their WebSocket."""

import socket
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus

from segclient.api import replies
from segclient.api.connection import Connection
from segclient.api.exchange import UNSENT_BYTES, Exchange
from segclient.errors import SegclientError

# A mask is a few kilobytes; one of noise at the largest size that a reply can say would not be believed.
_MOST_REPLY_BYTES = 2**26


def socket_options(connection: Connection) -> dict[str, Any]:
    """What websockets' ``connect``, of either kind, is called with."""
    return {
        "uri": connection.stream_url,
        "ssl": connection.tls,
        "additional_headers": connection.headers,
        "compression": None,  # frames are JPEG
        "proxy": None if connection.is_local else True,
        "open_timeout": connection.timeout_s,
        "max_size": _MOST_REPLY_BYTES,
    }


def keep_little_unsent(sock: socket.socket) -> None:
    """Have sending block as soon as the uplink is behind, not when megabytes of old frames lie in the system."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def not_connected(failure: Exception, connection: Connection) -> SegclientError:
    """The error for a WebSocket that could not be opened."""
    if isinstance(failure, InvalidStatus):
        answer = failure.response
        request = httpx.Request("GET", connection.stream_url)
        headers = [(name, value) for name, value in answer.headers.raw_items() if name.lower() != "content-encoding"]
        return replies.error(
            httpx.Response(answer.status_code, headers=headers, content=bytes(answer.body or b""), request=request)
        )
    return replies.unreachable(failure, connection.url, connection.timeout_s)


def ended(failure: ConnectionClosed, exchange: Exchange) -> SegclientError:
    """The error for a WebSocket that was closed under a stream."""
    close = failure.rcvd
    return exchange.closed(close.code if close else 1006, close.reason if close else "the connection broke off")
