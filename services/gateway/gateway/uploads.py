"""The image in a request: the raw body, or one multipart field. Never holds more than the limit."""

import asyncio
from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.admission import Place
from gateway.errors import BadRequest, BodyTimeout, ImageTooLarge
from gateway.settings import Settings

FIELD = "image"

# Boundaries and part headers around the image.
_MULTIPART_OVERHEAD_BYTES = 16 * 1024


async def read_image(request: Request, settings: Settings, place: Place) -> bytes:
    """The image's bytes as sent.

    Raises:
        BadRequest: no image in it, or broken multipart.
        ImageTooLarge: more than ``max_image_bytes``, announced or sent; nothing beyond it is kept.
        BodyTimeout: not all there after ``body_timeout_ms``.
        Overloaded: ``place`` cannot hold so much as well.
    """
    kind, _ = parse_options_header(request.headers.get("content-type"))
    try:
        async with asyncio.timeout(settings.body_timeout_ms / 1000):
            if kind == b"multipart/form-data":
                data = await _multipart_image(request, settings.max_image_bytes, place)
            else:
                data = b"".join([chunk async for chunk in _limited(request, settings.max_image_bytes, place)])
    except TimeoutError:
        raise BodyTimeout(
            f"the body had not arrived after {settings.body_timeout_ms} ms; send a smaller image",
            body_timeout_ms=settings.body_timeout_ms,
        ) from None
    if len(data) > settings.max_image_bytes:  # possible within the room left for multipart's own lines
        raise _too_large(settings.max_image_bytes)
    if not data:
        raise BadRequest(f"the body is empty; send an image, as the raw body or as multipart field {FIELD!r}")
    return data


async def _limited(
    request: Request, max_bytes: int, place: Place, overhead: int = 0
) -> AsyncGenerator[bytes, None]:
    """The body as it comes, until it is more than allowed."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit():
        if int(announced) > max_bytes + overhead:
            raise _too_large(max_bytes)
        place.hold(int(announced))
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes + overhead:
            raise _too_large(max_bytes)
        place.hold(received)
        yield chunk


async def _multipart_image(request: Request, max_bytes: int, place: Place) -> bytes:
    parser = MultiPartParser(
        request.headers, _limited(request, max_bytes, place, _MULTIPART_OVERHEAD_BYTES), max_files=1, max_fields=8
    )
    # Kept in memory, which is bounded anyway, rather than spooled to a disk that may be read-only.
    parser.spool_max_size = max_bytes + _MULTIPART_OVERHEAD_BYTES
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"the multipart body cannot be read: {error.message}; send one file field {FIELD!r}") from None
    try:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            if upload is not None:
                raise BadRequest(f"the multipart field {FIELD!r} is text, not a file; with curl: -F {FIELD}=@photo.jpg")
            raise BadRequest(f"the multipart body has no file field {FIELD!r}; it has {sorted(form)}")
        return await upload.read()
    finally:
        await form.close()


def _too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"the image has more than {max_bytes} bytes, the most accepted; compress it or scale it down",
        max_image_bytes=max_bytes,
    )
