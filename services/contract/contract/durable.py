"""Files that are whole after a power cut: what is written is on the disk before its name says so."""

import contextlib
import os
from pathlib import Path


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


def replace_file(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step: a reader sees the old file or the new one, also after a power cut.

    Raises:
        OSError: the text could not be written; ``path`` is as it was.
    """
    beside = path.with_name(".tmp-" + path.name)
    try:
        beside.write_text(text, encoding="utf-8")
        sync(beside)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)
