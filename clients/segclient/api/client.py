"""The client: images in, masks out, one after another, many at once, or live."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self, Unpack, overload

import httpx

from segclient import parallel as threads
from segclient.api import replies
from segclient.api.base import BaseClient
from segclient.api.options import Output, RenderOptions, SegmentOptions, StreamOptions, query
from segclient.api.results import Models, Reply, Segmentation, StreamResult
from segclient.errors import SegclientError, Unreachable
from segclient.images import Image, Picture, to_bytes


class Client(BaseClient):
    """A gateway's client. It may be used by several threads at once, and in a ``with``, which closes its connections.

    Made with what :class:`segclient.api.base.BaseClient` says.

    Example::

        with Client("http://localhost:8000") as client:
            result = client.segment("photo.jpg")
            print(result.mask.shape, result.areas)
    """

    def _open(self, http_options: dict[str, Any]) -> None:
        self._http = httpx.Client(**http_options)
        self._changed = threading.Condition()
        self._is_closed = False
        self._under_way = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections, after requests of other threads that are under way; those yet to be sent fail."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._under_way == 0, self.connection.timeout_s)
        self._http.close()

    def models(self) -> Models:
        """Which models there are, and which one answers where none is named.

        Raises:
            SegclientError: see :mod:`segclient.errors`.
        """
        response, _ = self._request("GET", "models")
        return replies.models(response)

    def segment(self, image: Image, **options: Unpack[SegmentOptions]) -> Segmentation:
        """The mask of one image: a file, a file's bytes, or pixels, uint8 [H,W,3], RGB.

        Raises:
            PictureError: it is no image to send.
            SegclientError: see :mod:`segclient.errors`.
        """
        return replies.segmentation(self.render(image, "mask", **options))

    def render(self, image: Image, output: Output = "mask", **options: Unpack[RenderOptions]) -> Reply:
        """As :meth:`segment`, but encoded by the gateway: a mask, color or overlay to store, or JSON."""
        data = to_bytes(image)
        return replies.read(*self._request("POST", "segment", params=query(output, options), content=data))

    @overload
    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[False] = False,
        **options: Unpack[SegmentOptions],
    ) -> Iterator[Segmentation]: ...

    @overload
    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[True],
        **options: Unpack[SegmentOptions],
    ) -> Iterator[Segmentation | SegclientError]: ...

    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: bool = False,
        **options: Unpack[SegmentOptions],
    ) -> Iterator[Segmentation | SegclientError]:
        """Masks in the order of the images, which may be endless: only ``parallel`` of them are taken ahead.

        Args:
            images: each as for :meth:`segment`.
            parallel: requests at once. More than the gateway works on at once (4 unless it is set) only wait there.
            return_exceptions: give an image's error in its place, and go on, instead of raising it.
            options: as for :meth:`segment`.
        """
        for _, done in threads.in_order(lambda image: self.segment(image, **options), images, parallel):
            error = done.exception()
            if isinstance(error, SegclientError) and return_exceptions:
                yield error
            else:
                yield done.result()

    @overload
    def stream(
        self,
        frames: Iterable[Picture],
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[StreamOptions],
    ) -> Iterator[StreamResult]: ...

    @overload
    def stream(
        self, frames: Iterable[Picture], *, return_exceptions: Literal[True], **options: Unpack[StreamOptions]
    ) -> Iterator[StreamResult | SegclientError]: ...

    def stream(
        self, frames: Iterable[Picture], *, return_exceptions: bool = False, **options: Unpack[StreamOptions]
    ) -> Iterator[StreamResult | SegclientError]:
        """Live: frames are sent as they come, and the gateway always takes the newest; those in between are dropped.

        For every frame of a video file use :meth:`segment_many`.

        Args:
            frames: uint8 [H,W,3], RGB, for instance a :class:`segclient.Camera`; it is iterated in another thread.
            return_exceptions: give a frame's error in its place, and go on, instead of raising it.
            options: see :class:`segclient.api.options.StreamOptions`.

        Raises:
            StreamClosed: the gateway ended it; where ``transient``, it may be begun again.
            SegclientError: see :mod:`segclient.errors`.
        """
        from segclient.api.stream import stream  # WebSockets, which only those who stream should wait for

        return stream(self.connection, frames, options, return_exceptions)

    def _request(self, method: str, path: str, **arguments: Any) -> tuple[httpx.Response, float]:
        """The reply, 2xx, and the seconds it took, of however many attempts it needs."""
        attempts = self._retries.request()
        while True:
            with self._sending(attempts.wait_s()):
                try:
                    started = time.perf_counter()
                    response = self._http.request(method, path, **arguments)
                    if response.is_success:
                        attempts.succeeded()
                        return response, time.perf_counter() - started
                    error = replies.error(response)
                except httpx.RequestError as failure:
                    error = replies.unreachable(failure, self.connection.url, self.connection.timeout_s)
            attempts.failed(error)

    @contextmanager
    def _sending(self, wait_s: float) -> Iterator[None]:
        """After so long, a request of which :meth:`close` waits for the end."""
        with self._changed:
            if self._changed.wait_for(lambda: self._is_closed, wait_s):
                raise Unreachable(f"the client of {self.connection.url} has been closed", transient=False)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()
