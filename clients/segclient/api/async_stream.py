"""``AsyncClient.stream``: one task sends frames as they come, the caller's own reads replies."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from segclient.api.connection import Connection
from segclient.api.exchange import MOST_UNANSWERED, Exchange
from segclient.api.options import StreamOptions
from segclient.api.results import StreamResult
from segclient.api.sockets import ended, keep_little_unsent, not_connected, socket_options
from segclient.errors import SegclientError
from segclient.images import Picture


async def stream(
    connection: Connection,
    frames: Iterable[Picture] | AsyncIterable[Picture],
    options: StreamOptions,
    return_exceptions: bool,
) -> AsyncGenerator[StreamResult | SegclientError, None]:
    """See :meth:`segclient.AsyncClient.stream`."""
    exchange = Exchange(connection, options)
    async with await _connected(connection) as socket:
        try:
            await socket.send(exchange.configure())
            while not exchange.is_configured:
                exchange.receive(await socket.recv())
            changed = asyncio.Condition()
            sender = asyncio.create_task(_send(socket, exchange, frames, changed))
            try:
                while not exchange.is_over:
                    result = exchange.receive(await socket.recv())
                    async with changed:
                        changed.notify()
                    if isinstance(result, SegclientError) and not return_exceptions:
                        raise result
                    if result is not None:
                        yield result
                await sender  # raises what taking frames ended with
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        except ConnectionClosed as failure:
            raise ended(failure, exchange) from None


async def _connected(connection: Connection) -> ClientConnection:
    try:
        socket = await connect(**socket_options(connection))
    except (OSError, WebSocketException) as failure:
        raise not_connected(failure, connection) from None
    keep_little_unsent(socket.transport.get_extra_info("socket"))
    return socket


async def _send(
    socket: ClientConnection,
    exchange: Exchange,
    frames: Iterable[Picture] | AsyncIterable[Picture],
    changed: asyncio.Condition,
) -> None:
    with contextlib.suppress(ConnectionClosed):  # the reader hears of it, too
        try:
            await _send_all(socket, exchange, frames, changed)
        except Exception:
            await socket.send(exchange.end())
            raise
        await socket.send(exchange.end())


async def _send_all(
    socket: ClientConnection,
    exchange: Exchange,
    frames: Iterable[Picture] | AsyncIterable[Picture],
    changed: asyncio.Condition,
) -> None:
    taken = _taken(frames)
    while True:
        async with changed:
            await changed.wait_for(lambda: exchange.unanswered < MOST_UNANSWERED)
        # Room first, then a frame: one that waited here would be old.
        frame = await anext(taken, None)
        if frame is None:
            return
        await socket.send(await asyncio.to_thread(exchange.frame, frame))


async def _taken(frames: Iterable[Picture] | AsyncIterable[Picture]) -> AsyncIterator[Picture]:
    """A plain iterable, a camera for instance, is waited for in a thread."""
    if isinstance(frames, AsyncIterable):
        async for frame in frames:
            yield frame
    else:
        iterator: Iterator[Picture] = iter(frames)
        while next_one := await asyncio.to_thread(lambda: list(itertools.islice(iterator, 1))):
            yield next_one[0]
