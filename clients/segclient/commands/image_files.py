"""The image files below a folder, listed lazily: a hundred thousand names are never held in memory at once."""

import os
from collections.abc import Iterator
from pathlib import Path

from segclient.errors import ImageError
from segclient.images import SUFFIXES

_Identity = tuple[int, int]


def find_images(folder: Path, exclude: Path) -> Iterator[str]:
    """Their paths relative to ``folder``, with slashes. Links to folders are followed, but not into a cycle.

    Names that begin with a dot, and the folder ``exclude``, are skipped.

    Raises:
        ImageError: ``folder`` cannot be read.
    """
    try:
        excluded = _identity(exclude.stat()) if exclude.exists() else None
        yield from _walk(folder, "", (_identity(folder.stat()),), excluded)
    except OSError as error:
        raise ImageError(f"{error.filename or folder}: {error.strerror}; expected a folder of images") from None


def _walk(folder: Path, prefix: str, ancestors: tuple[_Identity, ...], excluded: _Identity | None) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                identity = _identity(entry.stat())
                if identity != excluded and identity not in ancestors:
                    yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*ancestors, identity), excluded)
            elif entry.name.lower().endswith(SUFFIXES):
                yield prefix + entry.name


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino
