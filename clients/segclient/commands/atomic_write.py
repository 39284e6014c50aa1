"""Output files that are complete or absent, never half-written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segclient.errors import SettingsError

_PREFIX = ".tmp-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; the file replaces ``path`` when the block ends without an error.

    Raises:
        SettingsError: it cannot be written.
    """
    # The suffix is kept: video writers choose the container by it.
    temporary = path.with_name(f"{_PREFIX}{path.name}")
    with _as_settings_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with _as_settings_error(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``.

    Raises:
        SettingsError: it cannot be written.
    """
    with replacing(path) as temporary, _as_settings_error(path):
        temporary.write_bytes(data)


@contextmanager
def _as_settings_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None
