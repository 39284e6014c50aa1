"""Files that are whole after a power cut: what is written is on the disk before its name says so."""

import contextlib
import os
from pathlib import Path
from typing import Iterator


def sync(path: Path) -> None:
    """Have the disk hold what a file contains, or which names a folder has."""
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Have the disk hold a folder and everything in it."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that replaces ``path`` in one step once the block has ended: a reader sees the old or the new
    one, also after a power cut. What the block raises leaves ``path`` as it was, and nothing beside it.
    """
    beside = path.with_name(".tmp-" + path.name)
    try:
        yield beside
        sync(beside)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def replace_file(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` as :func:`replacing` does.

    Raises:
        OSError: the text could not be written; ``path`` is as it was.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
