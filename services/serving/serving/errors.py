"""Errors as gRPC statuses: one exception type, the conversion of the runtime's errors, messages cut at 1024 bytes."""

import grpc

MESSAGE_LIMIT = 1024
_TRUNCATED = "...TRUNCATED"
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """A status other than OK, with the code and the text of TensorFlow Serving."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """The status as the runtime logs it: ``Not found: …``."""
        return f"{self.code.name.replace('_', ' ').capitalize()}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """The request itself is invalid, in any state of the server."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """No such model or version."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """The request is valid, but not for the current state of the server."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def from_exception(error: Exception) -> ServingError:
    """The status for an exception from loading or running a graph; TensorFlow's errors have their own code."""
    if isinstance(error, ServingError):
        return error
    code = _STATUS_CODES.get(getattr(error, "error_code", None), grpc.StatusCode.UNKNOWN)
    return ServingError(code, str(getattr(error, "message", "") or error))


def truncated(message: str) -> str:
    """``message`` as it is sent: at most 1024 bytes of UTF-8, then ``...TRUNCATED``."""
    encoded = message.encode()
    if len(encoded) <= MESSAGE_LIMIT:
        return message
    return encoded[:MESSAGE_LIMIT].decode(errors="ignore") + _TRUNCATED
