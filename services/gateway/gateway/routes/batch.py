"""``POST /segment/batch``: several images in, one zip of results out."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from gateway import errors
from gateway.api import reply_docs
from gateway.api.error_docs import error_responses
from gateway.api.parameters import DEPRECATED_PARAMETERS, SegmentParameters
from gateway.api.schemas import BatchImage, BatchManifest, ErrorReply
from gateway.flow.admission import Place
from gateway.flow.deadline import Deadline
from gateway.flow.disconnects import ClientConnection
from gateway.flow.timings import Timings
from gateway.metrics import Metrics
from gateway.request.context import RequestContext
from gateway.request.deps import Parameters, State
from gateway.request.uploads import FIELD, Upload, check_bytes, read_images
from gateway.results import outputs
from gateway.results.archive import EntryNames, ZipStream
from gateway.rollout.router import Route
from gateway.segmentation import Segmenter
from gateway.settings import Settings

router = APIRouter(tags=["segment"])

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"

# The next image is decoded while one is inferred; more would take slots from other clients.
_MAX_IN_WORK = 2

_IMAGES = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"Multipart with a field `{FIELD}` for each image. GATEWAY_MAX_BATCH_IMAGES limits how many, "
        "GATEWAY_MAX_BATCH_BYTES how large together.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _IMAGES}},
                "encoding": {FIELD: {"contentType": "image/jpeg, image/png, image/webp"}},
            }
        },
    }
}


@dataclass(frozen=True)
class _Result:
    """The outcome of one image."""

    status: int
    body: bytes
    extension: str
    model: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class _ImageSegmenter:
    """Segments the images of one request, each on its own."""

    route: Route
    parameters: SegmentParameters
    segmenter: Segmenter
    metrics: Metrics
    settings: Settings

    async def segment(self, data: bytes, connection: ClientConnection) -> _Result:
        """The mask, or the error that the image has instead."""
        try:
            check_bytes(data, self.settings.max_image_bytes)
            deadline = Deadline(self.settings.deadline_ms)
            result = await self.segmenter.segment(data, self.route, self.parameters, deadline, Timings(), connection)
        except errors.GatewayError as error:
            return self._failure(error)
        except Exception:
            _log.exception("an image of a batch failed")
            return self._failure(errors.GatewayError("internal error of the gateway; its log has it"))
        return _Result(200, result.encoded.body, self.parameters.extension, result.served.name, result.served.version)

    def _failure(self, error: errors.GatewayError) -> _Result:
        self.metrics.errors.labels(error.code).inc()  # the request itself is a success
        body = ErrorReply.model_validate({"error": errors.error_body(error)})
        return _Result(error.status, body.model_dump_json(indent=2).encode(), "error.json")


async def _place(state: State) -> AsyncIterator[Place]:
    """Admission of the request, held until the last byte has been sent."""
    with state.admission.enter() as place:
        yield place


@router.post(
    "/segment/batch",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A zip with one entry for each image, in order and named after its file: `photo.png` holds "
            "what `/segment` would have answered, `photo.error.json` the error. The last entry, "
            f"`{MANIFEST}`, lists the entries: `{json.dumps(reply_docs.MANIFEST)}`",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {"X-Request-Id": {"description": "As for `/segment`.", "schema": {"type": "string"}}},
        },
        **error_responses(
            errors.BadRequest,
            errors.UnknownModel,
            errors.UnknownVersion,
            errors.BodyTimeout,
            errors.ImageTooLarge,
            errors.InvalidParameter,
            errors.RateLimited,
            errors.Overloaded,
            errors.BadServingReply,
            errors.NoModel,
            errors.ModelUnavailable,
            errors.ServingUnavailable,
            errors.DeadlineExceeded,
        ),
    },
    openapi_extra=_BODY | DEPRECATED_PARAMETERS,
)
async def segment_batch(
    request: Request,
    parameters: Parameters,
    state: State,
    place: Annotated[Place, Depends(_place, scope="request")],
) -> StreamingResponse:
    """Segment several images with the same parameters.

    An image that fails has an error in its entry and does not affect the others; each has the deadline of a single
    request.
    `curl -F image=@one.jpg -F image=@two.png http://localhost:8000/segment/batch -o masks.zip`
    """
    context = RequestContext.of(request.scope)
    route = state.router.route(parameters, context.canary_identity)
    # An error that all images share is the request's error, and is replied before they are uploaded.
    served = await state.serving.describe(route.target, Deadline(state.settings.deadline_ms))
    outputs.check_classes(served.card, parameters)
    uploads = await read_images(request, state.settings, place)
    context.client.count_more_requests(len(uploads) - 1)  # the first has been counted
    return StreamingResponse(
        _zip(uploads, _ImageSegmenter(route, parameters, state.segmenter, state.metrics, state.settings), request),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="segmentations.zip"'},
    )


async def _zip(uploads: list[Upload], segmenter: _ImageSegmenter, request: Request) -> AsyncIterator[bytes]:
    archive, names, images = ZipStream(), EntryNames(MANIFEST), []
    waiting, working = deque(uploads), deque[tuple[str, asyncio.Task[_Result]]]()
    uploads.clear()  # each image is freed once it is segmented, not once all are
    async with ClientConnection(request.receive) as connection:
        try:
            while waiting or working:
                while waiting and len(working) < _MAX_IN_WORK:
                    upload = waiting.popleft()
                    task = asyncio.create_task(segmenter.segment(upload.data, connection))
                    working.append((upload.filename, task))
                    del upload
                filename, task = working.popleft()
                result = await task
                entry = names.give(filename, result.extension)
                images.append(
                    BatchImage(
                        file=filename, entry=entry, status=result.status, model=result.model, version=result.version
                    )
                )
                yield archive.add(entry, result.body)
        finally:
            for _, task in working:
                task.cancel()
            await asyncio.gather(*(task for _, task in working), return_exceptions=True)
    yield archive.add(MANIFEST, BatchManifest(images=images).model_dump_json(indent=2).encode())
    yield archive.end()
