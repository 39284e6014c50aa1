"""Every image of a folder, once: parallel requests, a journal, outputs that are there whole or not at all."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segclient import parallel as threads
from segclient.api.client import Client
from segclient.api.options import Output, RenderOptions
from segclient.commands.files import write
from segclient.commands.journal import Journal
from segclient.commands.listing import images
from segclient.errors import GatewayError, PictureError, SegclientError
from segclient.images import SUFFIXES

_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
# Not this image's fault: no other would fare better. 422, a parameter, is, where another one was answered.
_EVERYONES = frozenset({401, 403, 404})


@dataclass(frozen=True)
class FolderRun:
    """What is to be done: segment what is below ``source``, and write it to the same tree below ``target``.

    With ``output="json"`` the journal's lines are the output.
    """

    client: Client
    source: Path
    target: Path
    output: Output
    options: RenderOptions
    parallel: int

    def pending(self, journal: Journal) -> Iterator[str]:
        """The images that no run has tried yet, found as they are taken."""
        for file in images(self.source, self.target):
            if file not in journal.done and file not in journal.failed:
                yield file

    def run(self, files: Iterable[str], journal: Journal, report: Callable[[], object]) -> None:
        """Segment ``files``, note each in the journal, and call ``report`` after each.

        Raises:
            SegclientError: nothing more can be done: the gateway is away, refuses the key, knows no such model.
        """
        for file, done in threads.as_completed(self._segment, files, self.parallel):
            journal.add(self._line(file, done, bool(journal.done)))
            report()

    def _line(self, file: str, done: Future[dict[str, Any]], others_were_answered: bool) -> dict[str, Any]:
        error = done.exception()
        if not isinstance(error, SegclientError):
            return {"file": file, **done.result()}
        if isinstance(error, GatewayError):
            mine = error.status not in _EVERYONES and error.retry_after_s is None
            if mine and (error.status != 422 or others_were_answered):
                return {"file": file, "error": {"code": error.code, "message": str(error), "status": error.status}}
            raise error
        if isinstance(error, PictureError):
            return {"file": file, "error": {"code": "unreadable", "message": str(error), "status": None}}
        raise error

    def _segment(self, file: str) -> dict[str, Any]:
        existing = self._existing(file)
        if existing:  # of a run that was killed before it could note so
            return {"output": existing}
        reply = self.client.render(self.source / file, self.output, **self.options)
        facts: dict[str, Any] = {"model": reply.model, "version": reply.version}
        if self.output == "json":
            return facts | json.loads(reply.body)
        output = f"{self._stem(file)}{_EXTENSIONS[reply.media_type]}"
        write(self.target / output, reply.body)
        return {"output": output, **facts, "ms": round(reply.timings.round_trip_ms, 1)}

    def _existing(self, file: str) -> str | None:
        stem = self._stem(file)
        outputs = (stem + suffix for suffix in _EXTENSIONS.values())
        return next((output for output in outputs if self.output != "json" and (self.target / output).exists()), None)

    def _stem(self, file: str) -> str:
        """The output's name without its suffix; ``a.jpg`` and ``a.png`` in one folder keep theirs to differ."""
        stem = file.rpartition(".")[0]
        own = self.source / file
        twins = (self.source / (stem + other) for each in SUFFIXES for other in (each, each.upper()))
        return file if any(twin.exists() and not twin.samefile(own) for twin in twins) else stem
