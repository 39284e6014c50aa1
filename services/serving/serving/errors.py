"""How an error becomes a gRPC status: one exception type, the runtime's errors turned into it, the cut at 1024."""

import grpc

MESSAGE_LIMIT = 1024
_TRUNCATED = "...TRUNCATED"
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """An answer other than OK, with the code and the text that TensorFlow Serving gives."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """As the runtime writes a status in a log: ``Not found: …``."""
        return f"{self.code.name.replace('_', ' ').capitalize()}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """The request itself is wrong, whatever the server's state."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """No such model or version."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """The request is well formed, but not with what is loaded."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def from_exception(error: Exception) -> ServingError:
    """The status for whatever loading or running a graph raised; TensorFlow's errors carry their own code."""
    if isinstance(error, ServingError):
        return error
    code = _STATUS_CODES.get(getattr(error, "error_code", None), grpc.StatusCode.UNKNOWN)
    return ServingError(code, str(getattr(error, "message", "") or error))


def truncated(message: str) -> str:
    """``message`` as it goes over the wire: at most 1024 bytes of UTF-8, then ``...TRUNCATED``."""
    encoded = message.encode()
    if len(encoded) <= MESSAGE_LIMIT:
        return message
    return encoded[:MESSAGE_LIMIT].decode(errors="ignore") + _TRUNCATED
