"""Every error the gateway answers with; :mod:`gateway.request.error_replies` turns them into replies.

GatewayError
├── BadRequest            400  no image, or invalid multipart
├── UndecodableImage      400  truncated or corrupt
├── Unauthorized          401  no API key
├── Forbidden             403  an invalid API key
├── ForbiddenHost         403  a Host that is not allowed
├── ForbiddenOrigin       403  a stream opened by a page of another site
├── NotFound              404  (from routing)
├── UnknownModel          404
├── UnknownVersion        404
├── BodyTimeout           408  the request took too long to arrive
├── ImageTooLarge         413  bytes or pixels
├── UnsupportedImage      415  neither JPEG, PNG nor WebP
├── InvalidParameter      422
├── RateLimited           429  with Retry-After
├── Overloaded            429  with Retry-After
├── ClientGone            499  the client closed the connection; for metrics and logs only
├── BadServingReply       502
├── NoModel               503  with Retry-After
├── ModelUnavailable      503  with Retry-After
├── ServingUnavailable    503  with Retry-After
├── ShuttingDown          503  with Retry-After
└── DeadlineExceeded      504
"""

# ruff: noqa: N818 - the names read well after `raise` without the suffix Error

from typing import Any, ClassVar

# Sent as Retry-After: serving restarts, model loads and full queues last seconds.
RETRY_AFTER_S = 2


class GatewayError(Exception):
    """Base class: ``message`` says what was wrong and what to do, ``detail`` has its values for programs."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    # The class's, unless set on the instance.
    retry_after_s: int | None = None

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class BadRequest(GatewayError):
    """The request carries no image where one was expected."""

    status, code = 400, "bad_request"


class UndecodableImage(GatewayError):
    """The file begins like an image but cannot be decoded completely."""

    status, code = 400, "undecodable_image"


class Unauthorized(GatewayError):
    """No API key, and one is required."""

    status, code = 401, "unauthorized"


class Forbidden(GatewayError):
    """The API key is not valid, or no longer valid."""

    status, code = 403, "forbidden"


class ForbiddenHost(GatewayError):
    """The request's host name is not one that the gateway answers to."""

    status, code = 403, "forbidden_host"


class ForbiddenOrigin(GatewayError):
    """A page of another site tried to open a stream."""

    status, code = 403, "forbidden_origin"


class UnknownModel(GatewayError):
    """No such model."""

    status, code = 404, "unknown_model"


class UnknownVersion(GatewayError):
    """The model has no such version."""

    status, code = 404, "unknown_version"


class BodyTimeout(GatewayError):
    """The body did not arrive in time."""

    status, code = 408, "body_timeout"


class ImageTooLarge(GatewayError):
    """The image has more bytes or pixels than the settings allow."""

    status, code = 413, "image_too_large"


class UnsupportedImage(GatewayError):
    """The first bytes are not those of a JPEG, PNG or WebP."""

    status, code = 415, "unsupported_image"


class InvalidParameter(GatewayError):
    """A parameter does not exist, has a value outside its range, or contradicts another."""

    status, code = 422, "invalid_parameter"


class RateLimited(GatewayError):
    """This key, or this address, sent more requests than it may."""

    status, code, retry_after_s = 429, "rate_limited", RETRY_AFTER_S


class Overloaded(GatewayError):
    """The settings allow no more requests in flight or waiting."""

    status, code, retry_after_s = 429, "overloaded", RETRY_AFTER_S


class ClientGone(GatewayError):
    """The client closed the connection; 499 is nginx's status for it."""

    status, code = 499, "client_gone"


class BadServingReply(GatewayError):
    """Serving returned an error, or a reply that does not keep the contract."""

    status, code = 502, "bad_serving_reply"


class NoModel(GatewayError):
    """No model has been published yet."""

    status, code, retry_after_s = 503, "no_model", RETRY_AFTER_S


class ModelUnavailable(GatewayError):
    """The model is configured but no version of it is AVAILABLE."""

    status, code, retry_after_s = 503, "model_unavailable", RETRY_AFTER_S


class ServingUnavailable(GatewayError):
    """Serving cannot be reached, or is overloaded."""

    status, code, retry_after_s = 503, "serving_unavailable", RETRY_AFTER_S


class ShuttingDown(GatewayError):
    """The gateway is shutting down."""

    status, code, retry_after_s = 503, "shutting_down", RETRY_AFTER_S


class DeadlineExceeded(GatewayError):
    """The request's deadline has passed."""

    status, code = 504, "deadline_exceeded"


def error_body(error: GatewayError) -> dict[str, Any]:
    """The documented shape of what is within ``error``."""
    return {"code": error.code, "message": error.message, "detail": error.detail}
