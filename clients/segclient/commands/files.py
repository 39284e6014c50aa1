"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segclient.errors import SettingsError

_PREFIX = ".tmp-"


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name in the same folder to write to; the file takes ``path``'s place when the block ends without an error.

    Raises:
        SettingsError: it cannot be written there.
    """
    # The suffix stays: it tells writers of videos what to write.
    temporary = path.with_name(f"{_PREFIX}{path.name}")
    with _said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with _said(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> None:
    """Put ``data`` there.

    Raises:
        SettingsError: it cannot be written.
    """
    with beside(path) as temporary, _said(path):
        temporary.write_bytes(data)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None
