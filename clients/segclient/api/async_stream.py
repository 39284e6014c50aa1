"""``AsyncClient.stream``: a task sends frames as they come, the caller's task reads the replies."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from segclient.api.connection import Connection
from segclient.api.parameters import StreamParameters
from segclient.api.results import StreamResult
from segclient.api.stream_session import MAX_UNANSWERED, StreamSession
from segclient.api.websocket import closed_error, connect_error, connect_options, limit_unsent
from segclient.errors import SegclientError
from segclient.images import RgbArray


async def stream(
    connection: Connection,
    frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
    parameters: StreamParameters,
    return_exceptions: bool,
) -> AsyncGenerator[StreamResult | SegclientError, None]:
    """See :meth:`segclient.AsyncClient.stream`."""
    session = StreamSession(connection, parameters)
    async with await _connected(connection) as socket:
        try:
            await socket.send(session.configure())
            while not session.is_configured:
                session.receive(await socket.recv())
            changed = asyncio.Condition()
            sender = asyncio.create_task(_send(socket, session, frames, changed))
            try:
                while not session.is_finished:
                    result = session.receive(await socket.recv())
                    async with changed:
                        changed.notify()
                    if isinstance(result, SegclientError) and not return_exceptions:
                        raise result
                    if result is not None:
                        yield result
                await sender  # raises the error of reading frames, if any
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        except ConnectionClosed as failure:
            raise closed_error(failure, session) from None


async def _connected(connection: Connection) -> ClientConnection:
    try:
        socket = await connect(**connect_options(connection))
    except (OSError, WebSocketException) as failure:
        raise connect_error(failure, connection) from None
    limit_unsent(socket.transport.get_extra_info("socket"))
    return socket


async def _send(
    socket: ClientConnection,
    session: StreamSession,
    frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
    changed: asyncio.Condition,
) -> None:
    with contextlib.suppress(ConnectionClosed):  # the reader gets it as well
        try:
            await _send_all(socket, session, frames, changed)
        except Exception:
            await socket.send(session.end())
            raise
        await socket.send(session.end())


async def _send_all(
    socket: ClientConnection,
    session: StreamSession,
    frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
    changed: asyncio.Condition,
) -> None:
    iterator = _iterate(frames)
    while True:
        async with changed:
            await changed.wait_for(lambda: session.unanswered < MAX_UNANSWERED)
        # Wait for room first, then take a frame: one taken before would be old by then.
        frame = await anext(iterator, None)
        if frame is None:
            return
        await socket.send(await asyncio.to_thread(session.frame, frame))


async def _iterate(frames: Iterable[RgbArray] | AsyncIterable[RgbArray]) -> AsyncIterator[RgbArray]:
    """Iterate; a synchronous iterable, such as a camera, is advanced in a thread."""
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        iterator: Iterator[RgbArray] = iter(frames)
        while next_one := await asyncio.to_thread(lambda: list(itertools.islice(iterator, 1))):
            yield next_one[0]
