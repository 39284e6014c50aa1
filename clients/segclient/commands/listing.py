"""The images below a folder, found as they are needed: a hundred thousand names are never held at once."""

import os
from collections.abc import Iterator
from pathlib import Path

from segclient.errors import PictureError
from segclient.images import SUFFIXES

_Identity = tuple[int, int]


def images(folder: Path, leave_out: Path) -> Iterator[str]:
    """Their paths below ``folder``, with slashes. Links to folders are followed, but never in a circle.

    Names that begin with a dot, and the folder ``leave_out``, are passed over.

    Raises:
        PictureError: ``folder`` cannot be read.
    """
    try:
        skipped = _identity(leave_out.stat()) if leave_out.exists() else None
        yield from _below(folder, "", (_identity(folder.stat()),), skipped)
    except OSError as error:
        raise PictureError(f"{error.filename or folder}: {error.strerror}; expected a folder of images") from None


def _below(folder: Path, prefix: str, ancestors: tuple[_Identity, ...], skipped: _Identity | None) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                identity = _identity(entry.stat())
                if identity != skipped and identity not in ancestors:
                    yield from _below(Path(entry.path), f"{prefix}{entry.name}/", (*ancestors, identity), skipped)
            elif entry.name.lower().endswith(SUFFIXES):
                yield prefix + entry.name


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino
