"""``results.jsonl`` of a folder run: a JSON line for each image, and what a run that goes on can learn from it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from segclient.errors import SettingsError

RESULTS = "results.jsonl"
OPTIONS = ".segclient.json"


class Journal:
    """The lines of all runs into one folder, in a ``with``, which keeps other runs out of it.

    A line is added when its image's output is in place; a line that was half-written when a run was killed is cut off.
    Where an image has several, the last counts.

    Attributes:
        done: paths of images that have been segmented.
        failed: of those that could not be.

    Raises:
        SettingsError: the folder holds something else, or another run's results, or a run is under way in it; or files
            cannot be locked here, on Windows.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self._folder = folder
        self._options = options
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        try:
            import fcntl  # here, so that all else works where it is not
        except ImportError:
            raise SettingsError(
                "a folder's results are kept apart with flock, which Windows has not: run segclient folder in WSL, or "
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
                raise SettingsError(f"{self._folder}: another run writes there; wait for it, or name another") from None
        except OSError as error:
            raise SettingsError(f"{self._folder}: {error.strerror}; expected a folder to write to") from None
        for line in self._whole_lines():
            self._remember(line)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Note what became of ``line["file"]``; it failed where there is an ``error``."""
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
        """Only a new or empty folder, or one of a run with the same options, is written to."""
        noted = self._folder / OPTIONS
        if noted.exists():
            before = json.loads(noted.read_text())
            if before != self._options:
                told = ", ".join(f"{name}={value}" for name, value in before.items() if value is not None)
                raise SettingsError(
                    f"{self._folder} holds results that were made with {told}; give the same options to go on with "
                    "them, or name another folder"
                )
            return
        if any(name.name != RESULTS or (self._folder / RESULTS).stat().st_size for name in self._folder.iterdir()):
            raise SettingsError(f"{self._folder} holds other files; name a new folder for the results")
        temporary = noted.with_name(f"{OPTIONS}.tmp")
        temporary.write_text(json.dumps(self._options))
        temporary.rename(noted)

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            try:
                yield json.loads(line)
            except ValueError:
                raise SettingsError(f"{self._folder / RESULTS} has a line that is no JSON; mend or remove it") from None
        self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)
