"""The client for asyncio; otherwise the same as :class:`segclient.Client`."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Literal, Self, Unpack, overload

import httpx

from segclient.api import replies
from segclient.api.base import BaseClient
from segclient.api.parameters import Form, RenderParameters, SegmentParameters, StreamParameters, query
from segclient.api.results import Models, Reply, Segmentation, StreamResult
from segclient.errors import SegclientError
from segclient.images import Image, RgbArray, to_bytes


class AsyncClient(BaseClient):
    """A gateway's client for asyncio, with the arguments, methods and errors of :class:`segclient.Client`.

    Example::

        async with AsyncClient("http://localhost:8000") as client:
            async for result in client.segment_many(paths):
                print(result.areas)
    """

    def _open(self, http_options: dict[str, Any]) -> None:
        self._http = httpx.AsyncClient(**http_options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self) -> Models:
        """As :meth:`segclient.Client.models`."""
        response, _ = await self._request("GET", "models")
        return replies.models(response)

    async def segment(self, image: Image, **parameters: Unpack[SegmentParameters]) -> Segmentation:
        """As :meth:`segclient.Client.segment`."""
        reply = await self.render(image, "mask", **parameters)
        return await asyncio.to_thread(replies.segmentation, reply)

    async def render(self, image: Image, form: Form = "mask", **parameters: Unpack[RenderParameters]) -> Reply:
        """As :meth:`segclient.Client.render`."""
        data = await asyncio.to_thread(to_bytes, image)
        return replies.read(*await self._request("POST", "segment", params=query(form, parameters), content=data))

    @overload
    def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[False] = False,
        **parameters: Unpack[SegmentParameters],
    ) -> AsyncGenerator[Segmentation, None]: ...

    @overload
    def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[True],
        **parameters: Unpack[SegmentParameters],
    ) -> AsyncGenerator[Segmentation | SegclientError, None]: ...

    async def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: bool = False,
        **parameters: Unpack[SegmentParameters],
    ) -> AsyncGenerator[Segmentation | SegclientError, None]:
        """As :meth:`segclient.Client.segment_many`; ``images`` may be an async iterable."""
        in_flight: deque[asyncio.Task[Segmentation]] = deque()
        iterator = _iterate(images)
        is_more = True
        try:
            while is_more or in_flight:
                while is_more and len(in_flight) < parallel:
                    try:
                        image = await anext(iterator)
                    except StopAsyncIteration:
                        is_more = False
                    else:
                        in_flight.append(asyncio.create_task(self.segment(image, **parameters)))
                if in_flight:
                    await asyncio.wait([in_flight[0]])
                    done = in_flight.popleft()
                    error = done.exception()
                    if isinstance(error, SegclientError) and return_exceptions:
                        yield error
                    else:
                        yield done.result()
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    @overload
    def stream(
        self,
        frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
        *,
        return_exceptions: Literal[False] = False,
        **parameters: Unpack[StreamParameters],
    ) -> AsyncGenerator[StreamResult, None]: ...

    @overload
    def stream(
        self,
        frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
        *,
        return_exceptions: Literal[True],
        **parameters: Unpack[StreamParameters],
    ) -> AsyncGenerator[StreamResult | SegclientError, None]: ...

    def stream(
        self,
        frames: Iterable[RgbArray] | AsyncIterable[RgbArray],
        *,
        return_exceptions: bool = False,
        **parameters: Unpack[StreamParameters],
    ) -> AsyncGenerator[StreamResult | SegclientError, None]:
        """As :meth:`segclient.Client.stream`; ``frames`` may be an async iterable."""
        from segclient.api.async_stream import stream  # not at the top: only streams need WebSockets

        return stream(self.connection, frames, parameters, return_exceptions)

    async def _request(self, method: str, path: str, **arguments: Any) -> tuple[httpx.Response, float]:
        """Send a request, with retries; returns the 2xx reply and the seconds of the last attempt."""
        attempts = self._retries.request()
        while True:
            await asyncio.sleep(attempts.wait_s())
            try:
                started = time.perf_counter()
                response = await self._http.request(method, path, **arguments)
                if response.is_success:
                    attempts.succeeded()
                    return response, time.perf_counter() - started
                error = replies.error(response)
            except httpx.RequestError as failure:
                error = replies.unreachable(failure, self.connection.url, self.connection.timeout_s)
            attempts.failed(error)


async def _iterate(images: Iterable[Image] | AsyncIterable[Image]) -> AsyncIterator[Image]:
    if isinstance(images, AsyncIterable):
        async for image in images:
            yield image
    else:
        for image in images:
            yield image
