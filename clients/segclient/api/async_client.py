"""The client for asyncio; it differs from :class:`segclient.Client` in nothing else."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Literal, Self, Unpack, overload

import httpx

from segclient.api import replies
from segclient.api.base import BaseClient
from segclient.api.options import Output, RenderOptions, SegmentOptions, StreamOptions, query
from segclient.api.results import Models, Reply, Segmentation, StreamResult
from segclient.errors import SegclientError
from segclient.images import Image, Picture, to_bytes


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
        """Close its connections."""
        await self._http.aclose()

    async def models(self) -> Models:
        """As :meth:`segclient.Client.models`."""
        response, _ = await self._request("GET", "models")
        return replies.models(response)

    async def segment(self, image: Image, **options: Unpack[SegmentOptions]) -> Segmentation:
        """As :meth:`segclient.Client.segment`."""
        reply = await self.render(image, "mask", **options)
        return await asyncio.to_thread(replies.segmentation, reply)

    async def render(self, image: Image, output: Output = "mask", **options: Unpack[RenderOptions]) -> Reply:
        """As :meth:`segclient.Client.render`."""
        data = await asyncio.to_thread(to_bytes, image)
        return replies.read(*await self._request("POST", "segment", params=query(output, options), content=data))

    @overload
    def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[False] = False,
        **options: Unpack[SegmentOptions],
    ) -> AsyncGenerator[Segmentation, None]: ...

    @overload
    def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[True],
        **options: Unpack[SegmentOptions],
    ) -> AsyncGenerator[Segmentation | SegclientError, None]: ...

    async def segment_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: bool = False,
        **options: Unpack[SegmentOptions],
    ) -> AsyncGenerator[Segmentation | SegclientError, None]:
        """As :meth:`segclient.Client.segment_many`; ``images`` may be an async iterable."""
        under_way: deque[asyncio.Task[Segmentation]] = deque()
        taken = _taken(images)
        is_more = True
        try:
            while is_more or under_way:
                while is_more and len(under_way) < parallel:
                    try:
                        image = await anext(taken)
                    except StopAsyncIteration:
                        is_more = False
                    else:
                        under_way.append(asyncio.create_task(self.segment(image, **options)))
                if under_way:
                    await asyncio.wait([under_way[0]])
                    done = under_way.popleft()
                    error = done.exception()
                    if isinstance(error, SegclientError) and return_exceptions:
                        yield error
                    else:
                        yield done.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    @overload
    def stream(
        self,
        frames: Iterable[Picture] | AsyncIterable[Picture],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[StreamResult, None]: ...

    @overload
    def stream(
        self,
        frames: Iterable[Picture] | AsyncIterable[Picture],
        *,
        return_exceptions: Literal[True],
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[StreamResult | SegclientError, None]: ...

    def stream(
        self,
        frames: Iterable[Picture] | AsyncIterable[Picture],
        *,
        return_exceptions: bool = False,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[StreamResult | SegclientError, None]:
        """As :meth:`segclient.Client.stream`; ``frames`` may be an async iterable."""
        from segclient.api.async_stream import stream  # WebSockets, which only those who stream should wait for

        return stream(self.connection, frames, options, return_exceptions)

    async def _request(self, method: str, path: str, **arguments: Any) -> tuple[httpx.Response, float]:
        """The reply, 2xx, and the seconds it took, of however many attempts it needs."""
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


async def _taken(images: Iterable[Image] | AsyncIterable[Image]) -> AsyncIterator[Image]:
    if isinstance(images, AsyncIterable):
        async for image in images:
            yield image
    else:
        for image in images:
            yield image
