"""``Client.stream``: a thread sends frames as they come, the caller's thread reads the replies."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Self

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from segclient.api.connection import Connection
from segclient.api.parameters import StreamParameters
from segclient.api.results import StreamResult
from segclient.api.stream_session import MAX_UNANSWERED, StreamSession
from segclient.api.websocket import closed_error, connect_error, connect_options, limit_unsent
from segclient.errors import SegclientError
from segclient.images import RgbArray

# Enough for the sender to notice the end: it waits for at most one more frame of a camera.
_JOIN_TIMEOUT_S = 2.0


def stream(
    connection: Connection, frames: Iterable[RgbArray], parameters: StreamParameters, return_exceptions: bool
) -> Iterator[StreamResult | SegclientError]:
    """See :meth:`segclient.Client.stream`."""
    session = StreamSession(connection, parameters)
    with _connected(connection) as socket:
        try:
            socket.send(session.configure())
            while not session.is_configured:
                session.receive(socket.recv())
            with _Sender(socket, session, frames) as sender:
                while not session.is_finished:
                    result = session.receive(socket.recv())
                    sender.notify()
                    if isinstance(result, SegclientError) and not return_exceptions:
                        raise result
                    if result is not None:
                        yield result
        except ConnectionClosed as failure:
            raise closed_error(failure, session) from None
    if sender.failure:
        raise sender.failure


def _connected(connection: Connection) -> ClientConnection:
    try:
        socket = connect(**connect_options(connection))
    except (OSError, WebSocketException) as failure:
        raise connect_error(failure, connection) from None
    limit_unsent(socket.socket)
    return socket


class _Sender:
    """The thread that reads and sends frames; a context manager. ``failure``: the error of reading them, if any."""

    def __init__(self, socket: ClientConnection, session: StreamSession, frames: Iterable[RgbArray]) -> None:
        self.failure: Exception | None = None
        self._socket = socket
        self._session = session
        self._frames = frames
        self._is_stopped = False
        self._changed = threading.Condition()
        # A daemon: a camera that blocks forever must not keep the program alive.
        self._thread = threading.Thread(target=self._run, name="segclient-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopped = True
        self.notify()
        self._thread.join(_JOIN_TIMEOUT_S)

    def notify(self) -> None:
        """Wake the sender: there may be room for another frame."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader gets it as well
            try:
                self._send_all()
            except ConnectionClosed:
                raise
            except Exception as error:  # of the caller's frames: raised by stream()
                self.failure = error
            self._socket.send(self._session.end())

    def _send_all(self) -> None:
        frames = iter(self._frames)
        # Wait for room first, then take a frame: one taken before would be old by then.
        while self._has_room() and (frame := next(frames, None)) is not None:
            self._socket.send(self._session.frame(frame))

    def _has_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._session.unanswered < MAX_UNANSWERED)
        return not self._is_stopped
