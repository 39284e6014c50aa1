"""The synchronous client: single images, many images in parallel, live streams."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self, Unpack, overload

import httpx

from segclient import parallel as threads
from segclient.api import replies
from segclient.api.base import BaseClient
from segclient.api.parameters import Form, RenderParameters, SegmentParameters, StreamParameters, query
from segclient.api.results import Models, Reply, Segmentation, StreamResult
from segclient.errors import SegclientError, Unreachable
from segclient.images import Image, RgbArray, to_bytes


class Client(BaseClient):
    """A gateway's client; thread-safe, and a context manager, which closes its connections.

    The arguments are those of :class:`segclient.api.base.BaseClient`.

    Example::

        with Client("http://localhost:8000") as client:
            result = client.segment("photo.jpg")
            print(result.mask.shape, result.areas)
    """

    def _open(self, http_options: dict[str, Any]) -> None:
        self._http = httpx.Client(**http_options)
        self._changed = threading.Condition()
        self._is_closed = False
        self._in_flight = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections once the requests in flight are done; later requests fail."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._in_flight == 0, self.connection.timeout_s)
        self._http.close()

    def models(self) -> Models:
        """The models of the gateway, and its default model.

        Raises:
            SegclientError: see :mod:`segclient.errors`.
        """
        response, _ = self._request("GET", "models")
        return replies.models(response)

    def segment(self, image: Image, **parameters: Unpack[SegmentParameters]) -> Segmentation:
        """The mask of one image: a file, a file's bytes, or an array, uint8 [H,W,3], RGB.

        Raises:
            ImageError: the image cannot be read or sent.
            SegclientError: see :mod:`segclient.errors`.
        """
        return replies.segmentation(self.render(image, "mask", **parameters))

    def render(self, image: Image, form: Form = "mask", **parameters: Unpack[RenderParameters]) -> Reply:
        """As :meth:`segment`, but encoded by the gateway: a mask, color or overlay image, or JSON."""
        data = to_bytes(image)
        return replies.read(*self._request("POST", "segment", params=query(form, parameters), content=data))

    @overload
    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[False] = False,
        **parameters: Unpack[SegmentParameters],
    ) -> Iterator[Segmentation]: ...

    @overload
    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: Literal[True],
        **parameters: Unpack[SegmentParameters],
    ) -> Iterator[Segmentation | SegclientError]: ...

    def segment_many(
        self,
        images: Iterable[Image],
        *,
        parallel: int = 4,
        return_exceptions: bool = False,
        **parameters: Unpack[SegmentParameters],
    ) -> Iterator[Segmentation | SegclientError]:
        """Masks in the order of the images. ``images`` may be endless: at most ``parallel`` are read ahead.

        Args:
            images: each as for :meth:`segment`.
            parallel: concurrent requests. More than the gateway processes at once (4 by default) only wait there.
            return_exceptions: yield an image's error in its place and continue, instead of raising it.
            parameters: as for :meth:`segment`.
        """
        for _, done in threads.in_order(lambda image: self.segment(image, **parameters), images, parallel):
            error = done.exception()
            if isinstance(error, SegclientError) and return_exceptions:
                yield error
            else:
                yield done.result()

    @overload
    def stream(
        self,
        frames: Iterable[RgbArray],
        *,
        return_exceptions: Literal[False] = False,
        **parameters: Unpack[StreamParameters],
    ) -> Iterator[StreamResult]: ...

    @overload
    def stream(
        self, frames: Iterable[RgbArray], *, return_exceptions: Literal[True], **parameters: Unpack[StreamParameters]
    ) -> Iterator[StreamResult | SegclientError]: ...

    def stream(
        self, frames: Iterable[RgbArray], *, return_exceptions: bool = False, **parameters: Unpack[StreamParameters]
    ) -> Iterator[StreamResult | SegclientError]:
        """Segment live: the gateway always takes the newest frame and drops older ones.

        To segment every frame of a video file, use :meth:`segment_many`.

        Args:
            frames: uint8 [H,W,3], RGB, for instance a :class:`segclient.Camera`; iterated in another thread.
            return_exceptions: yield a frame's error in its place and continue, instead of raising it.
            parameters: see :class:`segclient.api.parameters.StreamParameters`.

        Raises:
            StreamClosed: the gateway closed it; if ``transient``, a new stream may be opened.
            SegclientError: see :mod:`segclient.errors`.
        """
        from segclient.api.stream import stream  # not at the top: only streams need WebSockets

        return stream(self.connection, frames, parameters, return_exceptions)

    def _request(self, method: str, path: str, **arguments: Any) -> tuple[httpx.Response, float]:
        """Send a request, with retries; returns the 2xx reply and the seconds of the last attempt."""
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
        """Wait, then mark a request as in flight; :meth:`close` waits for its end."""
        with self._changed:
            if self._changed.wait_for(lambda: self._is_closed, wait_s):
                raise Unreachable(f"the client of {self.connection.url} has been closed", transient=False)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()
