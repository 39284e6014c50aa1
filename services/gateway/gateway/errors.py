"""Every error the gateway answers with; :mod:`gateway.request.error_replies` turns them into replies.

GatewayError
├── BadRequest            400  no image, a body that is no multipart
├── UndecodableImage      400  truncated or corrupt
├── Unauthorized          401  no API key
├── Forbidden             403  not a key of ours
├── ForbiddenHost         403  a Host that is not allowed
├── ForbiddenOrigin       403  a stream for a page of another site
├── NotFound              404  (from routing)
├── UnknownModel          404
├── UnknownVersion        404
├── BodyTimeout           408  the request took too long to arrive
├── ImageTooLarge         413  bytes or pixels
├── UnsupportedImage      415  neither JPEG, PNG nor WebP
├── InvalidParameter      422
├── RateLimited           429  with Retry-After
├── Overloaded            429  with Retry-After
├── ClientGone            499  the caller hung up: for metrics and logs, nobody reads it
├── BadServingReply       502
├── NoModel               503  with Retry-After
├── ModelUnavailable      503  with Retry-After
├── ServingUnavailable    503  with Retry-After
├── ShuttingDown          503  with Retry-After
└── DeadlineExceeded      504
"""

# ruff: noqa: N818 - named for what went wrong, as they read after `raise`

from typing import Any, ClassVar

# Sent as Retry-After: serving restarts and model loads are over in seconds, and so is a full queue.
RETRY_AFTER_S = 2


class GatewayError(Exception):
    """Base of what a caller is told: ``message`` says what was wrong and what to do, ``detail`` is for programs."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    # Of its class, unless the one who raises knows better.
    retry_after_s: int | None = None

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class BadRequest(GatewayError):
    """The request carries no image where one was expected."""

    status, code = 400, "bad_request"


class UndecodableImage(GatewayError):
    """The bytes begin like an image but cannot be decoded to the end."""

    status, code = 400, "undecodable_image"


class Unauthorized(GatewayError):
    """No API key where one is needed."""

    status, code = 401, "unauthorized"


class Forbidden(GatewayError):
    """The API key is not, or no longer, one that is let in."""

    status, code = 403, "forbidden"


class ForbiddenHost(GatewayError):
    """The request is addressed to a host name that the gateway does not answer to."""

    status, code = 403, "forbidden_host"


class ForbiddenOrigin(GatewayError):
    """A page of another site wants to open a stream."""

    status, code = 403, "forbidden_origin"


class UnknownModel(GatewayError):
    """No such model."""

    status, code = 404, "unknown_model"


class UnknownVersion(GatewayError):
    """The model is there, this version of it is not."""

    status, code = 404, "unknown_version"


class BodyTimeout(GatewayError):
    """The body did not arrive in time."""

    status, code = 408, "body_timeout"


class ImageTooLarge(GatewayError):
    """More bytes or pixels than the settings allow."""

    status, code = 413, "image_too_large"


class UnsupportedImage(GatewayError):
    """Not a JPEG, PNG or WebP by its first bytes."""

    status, code = 415, "unsupported_image"


class InvalidParameter(GatewayError):
    """A query parameter that does not exist or has a value outside its range."""

    status, code = 422, "invalid_parameter"


class RateLimited(GatewayError):
    """More requests than this key, or this address, may send."""

    status, code, retry_after_s = 429, "rate_limited", RETRY_AFTER_S


class Overloaded(GatewayError):
    """As many requests are in flight or waiting as the settings allow."""

    status, code, retry_after_s = 429, "overloaded", RETRY_AFTER_S


class ClientGone(GatewayError):
    """The caller closed the connection; the number is nginx's."""

    status, code = 499, "client_gone"


class BadServingReply(GatewayError):
    """Serving answered something that breaks the contract."""

    status, code = 502, "bad_serving_reply"


class NoModel(GatewayError):
    """Nothing has been published yet."""

    status, code, retry_after_s = 503, "no_model", RETRY_AFTER_S


class ModelUnavailable(GatewayError):
    """The model is configured but no version of it is AVAILABLE."""

    status, code, retry_after_s = 503, "model_unavailable", RETRY_AFTER_S


class ServingUnavailable(GatewayError):
    """Serving cannot be reached, or refuses work."""

    status, code, retry_after_s = 503, "serving_unavailable", RETRY_AFTER_S


class ShuttingDown(GatewayError):
    """The gateway has been told to stop."""

    status, code, retry_after_s = 503, "shutting_down", RETRY_AFTER_S


class DeadlineExceeded(GatewayError):
    """The request's deadline has passed."""

    status, code = 504, "deadline_exceeded"


def error_body(error: GatewayError) -> dict[str, Any]:
    """The documented shape of what is within ``error``."""
    return {"code": error.code, "message": error.message, "detail": error.detail}
