"""The WebSocket of a stream: what the threaded and the asyncio stream share."""

import socket
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus

from segclient.api import replies
from segclient.api.connection import Connection
from segclient.api.stream_session import MAX_UNSENT_BYTES, StreamSession
from segclient.errors import SegclientError

# A mask is a few kilobytes; no real one comes near this.
_MAX_REPLY_BYTES = 2**26


def connect_options(connection: Connection) -> dict[str, Any]:
    """Keyword arguments for ``connect`` of websockets, synchronous or asyncio."""
    return {
        "uri": connection.stream_url,
        "ssl": connection.tls,
        "additional_headers": connection.headers,
        "compression": None,  # frames are JPEG
        "proxy": None if connection.is_local else True,
        "open_timeout": connection.timeout_s,
        "max_size": _MAX_REPLY_BYTES,
    }


def limit_unsent(sock: socket.socket) -> None:
    """Block sending as soon as the uplink falls behind, before megabytes of old frames are buffered."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)


def connect_error(failure: Exception, connection: Connection) -> SegclientError:
    """The error for a WebSocket that could not be opened."""
    if isinstance(failure, InvalidStatus):
        answer = failure.response
        request = httpx.Request("GET", connection.stream_url)
        headers = [(name, value) for name, value in answer.headers.raw_items() if name.lower() != "content-encoding"]
        return replies.error(
            httpx.Response(answer.status_code, headers=headers, content=bytes(answer.body or b""), request=request)
        )
    return replies.unreachable(failure, connection.url, connection.timeout_s)


def closed_error(failure: ConnectionClosed, session: StreamSession) -> SegclientError:
    """The error for a WebSocket that was closed during a stream."""
    close = failure.rcvd
    return session.closed(close.code if close else 1006, close.reason if close else "the connection was lost")
