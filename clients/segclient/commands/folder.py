"""``segclient folder``: segment every image below a folder once, however often the run is interrupted."""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segclient import parallel as threads
from segclient.api.client import Client
from segclient.api.parameters import Form, RenderParameters
from segclient.commands.atomic_write import write_bytes
from segclient.commands.image_files import find_images
from segclient.commands.results_log import RESULTS, ResultsLog
from segclient.commands.shared import add_command, add_parallel, create_client, progress_bar, segment_parameters
from segclient.errors import GatewayError, ImageError, SegclientError, SettingsError
from segclient.images import SUFFIXES

# Failures printed at the end; the results log has all of them.
_MAX_PRINTED = 10

_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
# Errors that every image would get. 422, a parameter, is one too unless another image was accepted.
_ERRORS_OF_ALL = frozenset({401, 403, 404})


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add ``folder``."""
    parser = add_command(
        commands,
        "folder",
        _folder,
        "segment every image below a folder; the same command resumes an interrupted run",
        default="mask",
    )
    parser.add_argument("folder", type=Path, help="of JPEG, PNG and WebP files, sub-folders included")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help=f"written with the same tree, and {RESULTS}"
    )
    parser.add_argument("--retry-failed", action="store_true", help="try only the images that failed before")
    add_parallel(parser)


def _folder(options: argparse.Namespace) -> int:
    parameters: RenderParameters = segment_parameters(options)
    if options.form == "overlay":
        parameters["alpha"] = options.alpha
    source, target = options.folder, options.output
    if not source.is_dir():
        raise ImageError(f"{source}: no such folder; expected one with images")
    if target.exists() and target.samefile(source):
        raise SettingsError(f"--output {target} is the folder of the images itself; choose another")
    with (
        create_client(options) as client,
        ResultsLog(target, {"folder": str(source.resolve()), "form": options.form, **parameters}) as log,
    ):
        run = FolderRun(client, source, target, options.form, parameters, options.parallel)
        if options.retry_failed:
            done, total = 0, len(log.failed)
            files = iter(list(log.failed))
        else:
            done, total = len(log.done) + len(log.failed), sum(1 for _ in find_images(source, target))
            files = run.pending(log)
        first = next(files, None)
        if first is not None:
            client.models()  # a wrong address or key is reported before the first image is read
            with progress_bar(source.name or str(source), "image", max(total, done), done) as bar:
                run.run(itertools.chain([first], files), log, bar.update)
        return _print_summary(log, source, target)


def _print_summary(log: ResultsLog, source: Path, target: Path) -> int:
    if not log.done and not log.failed:
        print(f"segclient: no JPEG, PNG or WebP file found in {source}", file=sys.stderr)
        return 1
    print(f"{len(log.done)} images done, {len(log.failed)} failed: {target / RESULTS}")
    for file, message in itertools.islice(log.failed.items(), _MAX_PRINTED):
        print(f"segclient: {file}: {message}", file=sys.stderr)
    if len(log.failed) > _MAX_PRINTED:
        print(f"segclient: and {len(log.failed) - _MAX_PRINTED} more", file=sys.stderr)
    if log.failed:
        print("segclient: run the same command with --retry-failed to try these again", file=sys.stderr)
    return 1 if log.failed else 0


@dataclass(frozen=True)
class FolderRun:
    """Segments the images below ``source`` in parallel and writes the results to the same tree below ``target``.

    With ``form="json"`` the lines of the results log are the output.
    """

    client: Client
    source: Path
    target: Path
    form: Form
    parameters: RenderParameters
    parallel: int

    def pending(self, log: ResultsLog) -> Iterator[str]:
        """The images that no run has tried yet, listed lazily."""
        for file in find_images(self.source, self.target):
            if file not in log.done and file not in log.failed:
                yield file

    def run(self, files: Iterable[str], log: ResultsLog, on_done: Callable[[], object]) -> None:
        """Segment ``files``, add each result to the log, and call ``on_done`` after each.

        Raises:
            SegclientError: no image can be segmented: the gateway is unreachable, refuses the key, or does not know
                the model.
        """
        for file, future in threads.as_completed(self._segment, files, self.parallel):
            log.add(self._line(file, future, bool(log.done)))
            on_done()

    def _line(self, file: str, future: Future[dict[str, Any]], any_accepted: bool) -> dict[str, Any]:
        error = future.exception()
        if not isinstance(error, SegclientError):
            return {"file": file, **future.result()}
        if isinstance(error, GatewayError):
            is_of_image = error.status not in _ERRORS_OF_ALL and error.retry_after_s is None
            if is_of_image and (error.status != 422 or any_accepted):
                return {"file": file, "error": {"code": error.code, "message": str(error), "status": error.status}}
            raise error
        if isinstance(error, ImageError):
            return {"file": file, "error": {"code": "unreadable", "message": str(error), "status": None}}
        raise error

    def _segment(self, file: str) -> dict[str, Any]:
        existing = self._existing(file)
        if existing:  # written by a run that was killed before it could log it
            return {"output": existing}
        reply = self.client.render(self.source / file, self.form, **self.parameters)
        line: dict[str, Any] = {"model": reply.model, "version": reply.version}
        if self.form == "json":
            return line | json.loads(reply.body)
        output = f"{self._stem(file)}{_EXTENSIONS[reply.media_type]}"
        write_bytes(self.target / output, reply.body)
        return {"output": output, **line, "ms": round(reply.timings.round_trip_ms, 1)}

    def _existing(self, file: str) -> str | None:
        stem = self._stem(file)
        outputs = (stem + suffix for suffix in _EXTENSIONS.values())
        return next((output for output in outputs if self.form != "json" and (self.target / output).exists()), None)

    def _stem(self, file: str) -> str:
        """The output's name without its suffix; ``a.jpg`` and ``a.png`` in one folder keep their suffixes."""
        stem = file.rpartition(".")[0]
        path = self.source / file
        same_stem = (self.source / (stem + suffix) for each in SUFFIXES for suffix in (each, each.upper()))
        return file if any(other.exists() and not other.samefile(path) for other in same_stem) else stem
