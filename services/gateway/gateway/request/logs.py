"""The log on standard error: one event a line, coloured text on a terminal and JSON elsewhere.

All code uses :mod:`logging`, with ``extra=`` for an event's fields, so the gateway's lines and those of libraries have
one format. Image content and API keys are never logged.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gateway.settings import Settings

_bound: ContextVar[dict[str, str] | None] = ContextVar("bound", default=None)


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add ``fields`` to every line that is logged within the block."""
    token = _bound.set(fields)
    try:
        yield
    finally:
        _bound.reset(token)


def configure(settings: Settings) -> None:
    """Set up logging for the whole process."""
    import structlog  # here: importing the application does not need it

    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                _add_bound,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    # A client that sends broken multipart gets an error reply.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _add_bound(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's message once more, with escape codes
    event.update(_bound.get() or {})
    return event
