"""``POST /segment``: an image in; a mask, colours, an overlay or JSON out."""

from typing import Any

from fastapi import APIRouter, Request, Response

from gateway import errors
from gateway.api.error_docs import error_responses
from gateway.api.forms import reply_content
from gateway.api.parameters import DEPRECATED_PARAMETERS
from gateway.api.reply_docs import BINARY
from gateway.api.schemas import Segmentation
from gateway.flow.deadline import Deadline
from gateway.flow.disconnects import ClientConnection
from gateway.flow.timings import Timings
from gateway.request.context import RequestContext
from gateway.request.deps import Parameters, State
from gateway.request.uploads import FIELD, read_image

router = APIRouter(tags=["segment"])

_FORM = {"schema": {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY["schema"]}}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The image itself, or multipart with it as one field. Its first bytes decide the format, not "
        "the header. EXIF orientation is applied; alpha is dropped; of an animation, the first frame is used.",
        "content": {"image/jpeg": BINARY, "image/png": BINARY, "image/webp": BINARY, "multipart/form-data": _FORM},
    }
}
_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Segmentation,
        "description": "By `form` and `format`.",
        "content": reply_content(),
        "headers": {
            "X-Model-Name": {"description": "The model that answered.", "schema": {"type": "string"}},
            "X-Model-Version": {"description": "The version that answered.", "schema": {"type": "integer"}},
            "X-Request-Id": {"description": "The one you sent, else a new one.", "schema": {"type": "string"}},
            "Server-Timing": {
                "description": "Milliseconds: `decode;dur=2.1, queue;dur=0.0, infer;dur=31.5, encode;dur=1.2`.",
                "schema": {"type": "string"},
            },
        },
    }
}


@router.post(
    "/segment",
    response_class=Response,
    responses={
        **_REPLY,
        **error_responses(
            errors.BadRequest,
            errors.UndecodableImage,
            errors.UnknownModel,
            errors.UnknownVersion,
            errors.BodyTimeout,
            errors.ImageTooLarge,
            errors.UnsupportedImage,
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
async def segment(request: Request, parameters: Parameters, state: State) -> Response:
    """Segment one image.

    By default the answer is an indexed PNG of the image's own size whose pixel value is the class id. Send the image
    as a multipart file, `curl -F image=@photo.jpg http://localhost:8000/segment -o mask.png`, or as the body, which is
    faster: `curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://localhost:8000/segment -o mask.png`.
    """
    route = state.router.route(parameters, RequestContext.of(request.scope).canary_identity)
    with state.admission.enter() as place:
        data = await read_image(request, state.settings, place)
        timings = Timings()
        deadline = Deadline(state.settings.deadline_ms)
        async with ClientConnection(request.receive) as connection:
            result = await state.segmenter.segment(data, route, parameters, deadline, timings, connection)
    return Response(
        result.encoded.body,
        media_type=result.encoded.media_type,
        headers={
            "X-Model-Name": result.served.name,
            "X-Model-Version": str(result.served.version),
            "Server-Timing": timings.server_timing(),
        },
    )
