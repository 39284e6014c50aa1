"""Every error that the client raises; each message is one sentence for the person who reads it.

SegclientError
├── SettingsError    a URL, key, certificate or option that cannot be used
├── PictureError     a file or array that is no image to send, a video or camera that cannot be read or written
├── Unreachable      nobody answered: refused, timed out, a certificate that is not trusted
├── GatewayError     the gateway's own sentence, with its status, code and detail
├── BadReply         an answer that is not a gateway's: a proxy's page, a version that speaks otherwise
└── StreamClosed     the gateway ended a stream before it was told to
"""

# ruff: noqa: N818 - named for what went wrong, as they read after `raise`

from typing import Any


class SegclientError(Exception):
    """Base of all. ``transient``: the same request may succeed later; ``retry_after_s``: and when, if that was said."""

    transient: bool = False
    retry_after_s: float | None = None


class SettingsError(SegclientError):
    """What the caller configured cannot be used."""


class PictureError(SegclientError):
    """No image, video or camera, or none that can be read or written."""


class Unreachable(SegclientError):
    """There was no answer."""

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class GatewayError(SegclientError):
    """The gateway refused, and said why.

    Attributes:
        status: HTTP status.
        code: stable, for programs: ``image_too_large``, ``overloaded``, …
        detail: facts behind the message; differs by code.
        request_id: finds the request in the gateway's log; empty for a frame of a stream.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        detail: dict[str, Any] | None = None,
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail or {}
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.transient = retry_after_s is not None or status in (503, 504)


class BadReply(SegclientError):
    """Whoever answered is no gateway, or not one that this client understands."""

    def __init__(self, message: str, *, transient: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after_s = retry_after_s


class StreamClosed(SegclientError):
    """The stream's WebSocket was closed; ``code`` is RFC 6455's, 1006 where the connection just broke."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code
        self.transient = code in _CLOSED_FOR_NOW


# Going away, no close at all, restarting, try again later.
_CLOSED_FOR_NOW = frozenset({1001, 1006, 1012, 1013})
