"""Shared by the gRPC methods: errors become statuses, the client's deadline becomes a timeout."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import grpc

from serving.errors import ServingError, truncated

log = logging.getLogger(__name__)

# RunOptions.timeout_in_ms is 64 bits wide, but the runtime waits in microseconds; a month counts as none.
_LONGEST_TIMEOUT_MS = 30 * 24 * 3600 * 1000


def answers_errors(method: Callable[[Any, Any, grpc.ServicerContext], Any]) -> Callable[..., Any]:
    """Decorate a gRPC method that raises: a ServingError becomes its status, other exceptions INTERNAL, logged."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except ServingError as error:
            context.abort(error.code, truncated(error.message))
        except Exception as error:
            log.exception("%s failed", method.__name__)
            context.abort(grpc.StatusCode.INTERNAL, truncated(f"{type(error).__name__}: {error}"))

    return answer


def timeout_ms(context: grpc.ServicerContext) -> int | None:
    """Milliseconds until the client's deadline, at least 1; None if it set none.

    After the deadline the call still runs for a millisecond: the client gets DEADLINE_EXCEEDED anyway.
    """
    remaining_s = context.time_remaining()
    if remaining_s is None:
        return None
    remaining_ms = int(remaining_s * 1000)
    return max(1, remaining_ms) if remaining_ms < _LONGEST_TIMEOUT_MS else None
