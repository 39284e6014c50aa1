"""``results.jsonl`` of a folder run: one JSON line per image, and what a resumed run reads back from it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from segclient.commands.atomic_write import write_bytes
from segclient.errors import SettingsError

RESULTS = "results.jsonl"
OPTIONS = ".segclient.json"


class ResultsLog:
    """The lines of all runs into one folder; a context manager that locks other runs out of it.

    A line is appended once its image's output is in place; a line that was half-written when a run was killed is cut
    off. Where an image has several lines, the last one counts.

    Attributes:
        done: paths of the segmented images.
        failed: error messages by path, of the images that could not be segmented.

    Raises:
        SettingsError: the folder holds other files or another run's results, another run has locked it, or file locks
            are not available (Windows).
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self._folder = folder
        self._options = options
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        try:
            import fcntl  # not at the top: everything else works on Windows, which lacks it
        except ImportError:
            raise SettingsError(
                "segclient folder locks its results with flock, which Windows lacks: run it under WSL, or use "
                "segclient image for single images"
            ) from None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._claim()
            self._file = (self._folder / RESULTS).open("a+b")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise SettingsError(
                    f"{self._folder}: another run is writing to it; wait for it to finish, or choose another --output"
                ) from None
        except OSError as error:
            raise SettingsError(f"{self._folder}: {error.strerror}; expected a folder to write to") from None
        for line in self._complete_lines():
            self._remember(line)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Append the result of ``line["file"]``; it failed if there is an ``error``."""
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        self._remember(line)

    def _remember(self, line: dict[str, Any]) -> None:
        if "error" in line:
            self.failed[line["file"]] = str(line["error"]["message"])
        else:
            self.failed.pop(line["file"], None)
            self.done.add(line["file"])

    def _claim(self) -> None:
        """Accept only a new or empty folder, or one of a run with the same options."""
        options_file = self._folder / OPTIONS
        if options_file.exists():
            before = json.loads(options_file.read_text())
            if "as" in before:  # written by a version whose option was called --as
                before["form"] = before.pop("as")
            if before != self._options:
                listed = ", ".join(f"{name}={value}" for name, value in before.items() if value is not None)
                raise SettingsError(
                    f"{self._folder} holds results made with {listed}; use the same options to resume that run, or "
                    "choose another --output"
                )
            return
        if any(name.name != RESULTS or (self._folder / RESULTS).stat().st_size for name in self._folder.iterdir()):
            raise SettingsError(f"{self._folder} holds other files; choose a new folder for the results")
        write_bytes(options_file, json.dumps(self._options).encode())

    def _complete_lines(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        complete = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            complete += len(line)
            try:
                yield json.loads(line)
            except ValueError:
                raise SettingsError(
                    f"{self._folder / RESULTS} has a line that is not JSON; fix or remove that line"
                ) from None
        self._file.truncate(complete)
        self._file.seek(0, os.SEEK_END)
