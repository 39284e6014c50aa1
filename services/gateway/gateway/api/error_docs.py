"""The errors as OpenAPI shows them: by status, each with an example that the gateway really returns."""

from typing import Any

from gateway import errors
from gateway.api.parameters import SegmentParameters
from gateway.api.schemas import ErrorReply

_PARAMETERS = list(SegmentParameters.model_fields)

_EXAMPLES: dict[type[errors.GatewayError], tuple[str, dict[str, Any]]] = {
    errors.BadRequest: (
        "the body is empty; send an image, as the raw body (curl --data-binary @photo.jpg) or as multipart field "
        "'image' (curl -F image=@photo.jpg)",
        {},
    ),
    errors.UndecodableImage: (
        "the JPEG is truncated: its 20480 bytes do not reach its end; send the whole file",
        {},
    ),
    errors.Unauthorized: (
        "an API key is needed; send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`",
        {},
    ),
    errors.Forbidden: (
        "this API key is not, or no longer, valid; request a new one from the operator of the gateway",
        {},
    ),
    errors.UnknownModel: (
        "model 'raod' not found; published models: road, shapes",
        {"model": "raod", "available": ["road", "shapes"]},
    ),
    errors.UnknownVersion: (
        "model 'road' has no version 7 loaded; loaded versions: 3, 2",
        {"model": "road", "available": [3, 2]},
    ),
    errors.BodyTimeout: (
        "the body had not arrived after 30000 ms; send a smaller image",
        {"body_timeout_ms": 30000},
    ),
    errors.ImageTooLarge: (
        "the image is 40000x40000 = 1600000000 pixels; at most 50000000 are accepted, so scale it down",
        {"width": 40000, "height": 40000, "max_pixels": 50000000},
    ),
    errors.UnsupportedImage: (
        "this is not a JPEG, PNG or WebP image; send one of these, by HTTP as the raw body or multipart field 'image'",
        {"first_bytes": "47 49 46 38 39 61 01 00 01 00 80 00"},
    ),
    errors.InvalidParameter: (
        f"/segment has no query parameter 'fomr'; did you mean 'form'? it takes {', '.join(_PARAMETERS)}",
        {"parameter": "fomr", "available": _PARAMETERS},
    ),
    errors.RateLimited: (
        "key 'fleet' may send 20 requests a second; try again in 1 s",
        {"requests_per_s": 20.0},
    ),
    errors.Overloaded: (
        "36 requests are in progress or waiting, the maximum; try again in a moment",
        {"limit": 36},
    ),
    errors.BadServingReply: (
        "serving's mask is float32 [1, 480, 640]; expected uint8 [1, 480, 640]",
        {},
    ),
    errors.NoModel: (
        "no model yet: models_repo/models.config lists none; `make demo` trains and publishes one in a few minutes",
        {},
    ),
    errors.ModelUnavailable: (
        "no version of model 'road' is loaded: {'3': 'LOADING'}",
        {"model": "road", "versions": {"3": "LOADING"}},
    ),
    errors.ServingUnavailable: (
        "serving at localhost:8500 cannot be reached: failed to connect to all addresses",
        {},
    ),
    errors.ShuttingDown: (
        "the gateway is shutting down; it finishes the requests in progress and accepts no others",
        {},
    ),
    errors.DeadlineExceeded: (
        "no answer within 10000 ms; try again when there is less load, or raise GATEWAY_DEADLINE_MS",
        {"deadline_ms": 10000},
    ),
}


def error_responses(*kinds: type[errors.GatewayError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` argument of a route that can return errors of ``kinds``."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        message, detail = _EXAMPLES[kind]
        response = responses.setdefault(
            kind.status,
            {"model": ErrorReply, "description": "", "content": {"application/json": {"examples": {}}}},
        )
        summary = (kind.__doc__ or "").rstrip(".")
        response["description"] = "; ".join(filter(None, (response["description"], summary)))
        response["content"]["application/json"]["examples"][kind.code] = {
            "summary": summary,
            "value": {"error": {"code": kind.code, "message": message, "detail": detail}},
        }
        if kind.retry_after_s:
            response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return responses
