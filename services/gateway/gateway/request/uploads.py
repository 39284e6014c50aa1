"""The images in a request: the raw body, or multipart fields. Never more than the limit in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.errors import BadRequest, BodyTimeout, ImageTooLarge
from gateway.flow.admission import Place
from gateway.settings import Settings

FIELD = "image"

# Boundaries and part headers around an image.
_MULTIPART_OVERHEAD_BYTES = 16 * 1024

# Python's other codecs produce names that no reply can contain, fail, or are slow (idna).
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@dataclass(frozen=True)
class Upload:
    """One file of a multipart body; ``filename`` is as sent, and not to be trusted."""

    filename: str
    data: bytes


async def read_image(request: Request, settings: Settings, place: Place) -> bytes:
    """The image's bytes as sent.

    Raises:
        BadRequest: it holds no image, or is broken multipart.
        ImageTooLarge: more than ``max_image_bytes``, announced or sent; nothing beyond that is kept.
        BodyTimeout: it had not arrived after ``body_timeout_ms``.
        Overloaded: all requests together would hold too much.
    """
    max_bytes = settings.max_image_bytes
    async with _in_time(settings.body_timeout_ms):
        if _is_multipart(request):
            (upload,) = await _files(
                request, place, 1, max_bytes + _MULTIPART_OVERHEAD_BYTES, lambda: _too_many_bytes(max_bytes)
            )
            data = upload.data
        else:
            chunks = _limited(request, place, max_bytes, lambda: _too_many_bytes(max_bytes))
            data = b"".join([chunk async for chunk in chunks])
    check_bytes(data, max_bytes)
    return data


async def read_images(request: Request, settings: Settings, place: Place) -> list[Upload]:
    """The files of a batch; whether each is an image, and not too large, is checked later.

    Raises:
        BadRequest: not multipart, broken, with other fields, or more than ``max_batch_images``.
        ImageTooLarge: more than ``max_batch_bytes`` together; nothing beyond that is kept.
        BodyTimeout: it had not arrived after ``body_timeout_ms`` per ``max_image_bytes`` that it may hold.
        Overloaded: all requests together would hold too much.
    """
    if not _is_multipart(request):
        raise BadRequest(
            f"the body is not multipart/form-data; send a file field {FIELD!r} for each image, with curl: "
            f"-F {FIELD}=@one.jpg -F {FIELD}=@two.png"
        )
    # A batch larger than all requests together may hold could never be admitted.
    images, max_bytes = settings.max_batch_images, min(settings.max_batch_bytes, settings.max_held_bytes)

    def too_large() -> ImageTooLarge:
        return ImageTooLarge(
            f"the images have more than {max_bytes} bytes together, the maximum; send fewer at once",
            max_batch_bytes=max_bytes,
        )

    async with _in_time(settings.body_timeout_ms * -(-max_bytes // settings.max_image_bytes)):
        return await _files(request, place, images, max_bytes + images * _MULTIPART_OVERHEAD_BYTES, too_large)


def check_bytes(data: bytes, max_bytes: int) -> None:
    """Refuse an empty or too large file.

    Raises:
        BadRequest: it is empty.
        ImageTooLarge: it has more than ``max_bytes``.
    """
    if not data:
        raise BadRequest(
            f"the body is empty; send an image, as the raw body (curl --data-binary @photo.jpg) or as multipart "
            f"field {FIELD!r} (curl -F {FIELD}=@photo.jpg)"
        )
    if len(data) > max_bytes:
        raise _too_many_bytes(max_bytes)


def _too_many_bytes(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"the image has more than {max_bytes} bytes, the maximum; compress it or scale it down",
        max_image_bytes=max_bytes,
    )


def _is_multipart(request: Request) -> bool:
    kind, _ = parse_options_header(request.headers.get("content-type"))
    return kind == b"multipart/form-data"


@asynccontextmanager
async def _in_time(milliseconds: int) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(milliseconds / 1000):
            yield
    except TimeoutError:
        raise BodyTimeout(
            f"the body had not arrived after {milliseconds} ms; send a smaller image", body_timeout_ms=milliseconds
        ) from None


async def _limited(
    request: Request, place: Place, max_bytes: int, too_large: Callable[[], ImageTooLarge]
) -> AsyncGenerator[bytes, None]:
    """The body's chunks as they arrive; raises ``too_large()`` before keeping more than ``max_bytes``."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit():
        if int(announced) > max_bytes:
            raise too_large()
        place.hold(int(announced))
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise too_large()
        place.hold(received)
        yield chunk


async def _files(
    request: Request, place: Place, max_files: int, max_bytes: int, too_large: Callable[[], ImageTooLarge]
) -> list[Upload]:
    """The fields ``image`` of a multipart body, in order: at least one, and no other field."""
    _, options = parse_options_header(request.headers.get("content-type"))
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in _CHARSETS:
        raise BadRequest(f"the multipart body's names are in {charset[:40]!r}, which is not supported; send UTF-8")
    parser = MultiPartParser(
        request.headers, _limited(request, place, max_bytes, too_large), max_files=max_files, max_fields=8
    )
    # Kept in memory, which is bounded here, rather than spooled to a disk that may be read-only.
    parser.spool_max_size = max_bytes
    try:
        form = await parser.parse()
        _check_fields(form)
        return [
            Upload(upload.filename or "", await upload.read())
            for upload in form.getlist(FIELD)
            if isinstance(upload, UploadFile)
        ]
    except MultiPartException as error:
        fields = f"one file field {FIELD!r}, or several to /segment/batch" if max_files == 1 else f"fields {FIELD!r}"
        raise BadRequest(f"the multipart body cannot be read: {error.message}; send {fields}") from None
    finally:
        # The form lacks the files that did not arrive completely.
        for file in parser._files_to_close_on_error:
            file.close()


def _check_fields(form: FormData) -> None:
    """Refuse fields that would be ignored.

    Raises:
        BadRequest: names the field, and where its content belongs.
    """
    for name, value in form.multi_items():
        if isinstance(value, str) and name == FIELD:
            raise BadRequest(f"the multipart field {FIELD!r} is text, not a file; with curl: -F {FIELD}=@photo.jpg")
        if isinstance(value, str) and FIELD in form:
            raise BadRequest(
                f"the multipart field {name!r} is text; the only field is the file {FIELD!r}, and parameters go into "
                f"the query string: ?{name}=…"
            )
    if set(form) != {FIELD}:
        raise BadRequest(
            f"the multipart body needs file fields {FIELD!r}, complete, and no others; it has {sorted(set(form))}"
        )
