"""Every error that the client raises; each message is one sentence for the user.

SegclientError
├── SettingsError    invalid URL, key, certificate or option
├── ImageError       an image, video or camera that cannot be read
├── Unreachable      no answer: refused, timed out, untrusted certificate
├── GatewayError     the gateway's error, with its status, code and detail
├── BadReply         the answer is not a gateway's: a proxy's page, an incompatible version
└── StreamClosed     the gateway closed a stream early
"""

# ruff: noqa: N818 - named for what went wrong

from typing import Any


class SegclientError(Exception):
    """Base class. ``transient``: the same request may succeed later, after ``retry_after_s`` where that is known."""

    transient: bool = False
    retry_after_s: float | None = None


class SettingsError(SegclientError):
    """An invalid setting or option."""


class ImageError(SegclientError):
    """An image, video or camera is missing or cannot be read."""


class Unreachable(SegclientError):
    """The gateway did not answer."""

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class GatewayError(SegclientError):
    """The gateway answered with an error.

    Attributes:
        status: HTTP status.
        code: stable, for programs: ``image_too_large``, ``overloaded``, …
        detail: further facts; the keys depend on the code.
        request_id: identifies the request in the gateway's log; empty for a frame of a stream.
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
    """The answer does not come from a gateway, or from an incompatible version."""

    def __init__(self, message: str, *, transient: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after_s = retry_after_s


class StreamClosed(SegclientError):
    """The stream's WebSocket was closed; ``code`` is RFC 6455's, 1006 where the connection was lost."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code
        self.transient = code in _TRANSIENT_CODES


# Going away, connection lost, service restart, try again later.
_TRANSIENT_CODES = frozenset({1001, 1006, 1012, 1013})
