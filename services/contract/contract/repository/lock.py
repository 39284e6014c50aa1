"""The repository's lock: one writer at a time, and each removes what a killed one left behind."""

import contextlib
import errno
import fcntl
import logging
import shutil
from pathlib import Path
from typing import Iterator

TEMPORARY_PREFIX = ".tmp-"

_LOCK_NAME = ".lock"

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(models_root: Path) -> Iterator[None]:
    """Hold the repository's lock. The kernel releases it when the holder ends, however it ends."""
    with (models_root / _LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            _log.warning("waiting: another publisher is writing to %s", models_root)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed writer left in a model's folder or the repository's. The caller holds the lock."""
    for leftover in sorted(folder.glob(TEMPORARY_PREFIX + "*")):
        _log.warning("removing %s, which an interrupted command left", leftover)
        remove(leftover)


def remove(path: Path) -> None:
    """Remove a folder with its contents, or a file; of a symbolic link, only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
    else:
        path.unlink()
