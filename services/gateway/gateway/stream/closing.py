"""How a stream ends: its close code, and the reason in a sentence."""

import asyncio
import logging
from typing import Any

from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

_log = logging.getLogger(__name__)

# What sending raises once the client has gone: the first time, and later.
GONE = (WebSocketDisconnect, WebSocketDisconnected)

# What a close frame can hold (RFC 6455, 5.5).
_MAX_REASON_BYTES = 123


class Closing(Exception):  # noqa: N818 - as it reads after `raise`
    """The stream ends: the close code, the reason, and whether it was the client, or the network, that ended it."""

    def __init__(self, code: int, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self.is_gone = is_gone


def closing_of(ended: asyncio.Task[Any]) -> Closing:
    """Why a task of a stream's came to its end."""
    error = ended.exception()
    if isinstance(error, Closing):
        return error
    if isinstance(error, GONE):
        return Closing(1006, "", is_gone=True)
    _log.error("a stream failed", exc_info=error)
    return Closing(1011, "an error of the gateway's own; its log has it")
