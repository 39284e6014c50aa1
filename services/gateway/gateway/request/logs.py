"""What the gateway writes to standard error: one event a line, for people on a terminal and as JSON elsewhere.

Everyone uses :mod:`logging`, with ``extra=`` for what belongs to the event, and so our own lines and those of libraries
come out alike. Image content and API keys never do.
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
    """Every line written within the block carries ``fields``."""
    token = _bound.set(fields)
    try:
        yield
    finally:
        _bound.reset(token)


def configure(settings: Settings) -> None:
    """Set up logging for the whole process."""
    import structlog  # here: who only imports the application need not wait for it

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
    # Multipart that cannot be read is the caller's to know, and the caller is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _add_bound(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's own text once more, with escape codes
    event.update(_bound.get() or {})
    return event
