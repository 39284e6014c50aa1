"""``Client.stream``: one thread sends frames as they come, the caller's own reads replies."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Self

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from segclient.api.connection import Connection
from segclient.api.exchange import MOST_UNANSWERED, Exchange
from segclient.api.options import StreamOptions
from segclient.api.results import StreamResult
from segclient.api.sockets import ended, keep_little_unsent, not_connected, socket_options
from segclient.errors import SegclientError
from segclient.images import Picture

# For the sender to notice that it is over; a camera gives it a frame before long.
_JOIN_S = 2.0


def stream(
    connection: Connection, frames: Iterable[Picture], options: StreamOptions, return_exceptions: bool
) -> Iterator[StreamResult | SegclientError]:
    """See :meth:`segclient.Client.stream`."""
    exchange = Exchange(connection, options)
    with _connected(connection) as socket:
        try:
            socket.send(exchange.configure())
            while not exchange.is_configured:
                exchange.receive(socket.recv())
            with _Sender(socket, exchange, frames) as sender:
                while not exchange.is_over:
                    result = exchange.receive(socket.recv())
                    sender.look_again()
                    if isinstance(result, SegclientError) and not return_exceptions:
                        raise result
                    if result is not None:
                        yield result
        except ConnectionClosed as failure:
            raise ended(failure, exchange) from None
    if sender.failure:
        raise sender.failure


def _connected(connection: Connection) -> ClientConnection:
    try:
        socket = connect(**socket_options(connection))
    except (OSError, WebSocketException) as failure:
        raise not_connected(failure, connection) from None
    keep_little_unsent(socket.socket)
    return socket


class _Sender:
    """The thread that takes frames and sends them, in a ``with``; ``failure`` is what taking them ended with."""

    def __init__(self, socket: ClientConnection, exchange: Exchange, frames: Iterable[Picture]) -> None:
        self.failure: Exception | None = None
        self._socket = socket
        self._exchange = exchange
        self._frames = frames
        self._is_over = False
        self._changed = threading.Condition()
        # A daemon: a camera that never gives another frame must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="segclient-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.look_again()
        self._thread.join(_JOIN_S)

    def look_again(self) -> None:
        """There may be room for another frame."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader hears of it, too
            try:
                self._send_all()
            except ConnectionClosed:
                raise
            except Exception as error:  # of the caller's frames: raised where they are waited for
                self.failure = error
            self._socket.send(self._exchange.end())

    def _send_all(self) -> None:
        frames = iter(self._frames)
        # Room first, then a frame: one that waited here would be old.
        while self._has_room() and (frame := next(frames, None)) is not None:
            self._socket.send(self._exchange.frame(frame))

    def _has_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._exchange.unanswered < MOST_UNANSWERED)
        return not self._is_over
