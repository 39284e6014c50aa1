"""Errors that end a command with one sentence, and helpers that write such sentences."""

from collections.abc import Collection
from pathlib import Path


class UserError(Exception):
    """Something that the user can fix; the message says what and how. Printed without a traceback."""

    exit_status = 1


class NotGoodEnoughError(UserError):
    """The command succeeded, but a measured value is below the required one; scripts get a separate exit status."""

    exit_status = 3


def require_absent(output: Path, option: str = "--output") -> None:
    """Raise UserError when the file or folder that ``option`` names exists."""
    if output.exists():
        raise UserError(f"{output} exists already: name a new folder with {option}, or remove it first")


def require_empty(folder: Path, option: str = "--output") -> None:
    """Raise UserError when the folder that ``option`` names has anything in it, or is a file."""
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder with {option}, or remove it first")


def one_line(error: object) -> str:
    """A message of several lines, such as a library's error, as one."""
    return " ".join(str(error).split())


def first_few(items: Collection[object], count: int = 3) -> str:
    """``a, b, c, …``: the first ``count`` of ``items``."""
    shown = [str(item) for _, item in zip(range(count), items, strict=False)]
    return ", ".join([*shown, "…"] if len(items) > count else shown)


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
