"""Files that survive a power cut: data reach the disk before they get their final name."""

import contextlib
import os
from pathlib import Path
from typing import Iterator


def sync(path: Path) -> None:
    """Flush a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush a folder and everything in it to the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Replace ``path`` atomically with the file that the block writes, also across a power cut.

    The block is given a temporary path. If it raises, ``path`` is unchanged and the temporary file is removed.

    Args:
        path: the file to create or replace.
        durable: False does not wait for the disk: ``path`` is whole after a crash of the process, but perhaps not after
            a power cut. For many files that can be made again.
    """
    temporary = path.with_name(".tmp-" + path.name)
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync(path.parent)


def replace_file(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` as :func:`replacing` does.

    Raises:
        OSError: the text could not be written; ``path`` is unchanged.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
