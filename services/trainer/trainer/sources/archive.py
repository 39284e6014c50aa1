"""A folder or a zip of files, read in the same way: a labelling tool's export, a download, a folder of images."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from trainer.datasets.dataset import is_system_file
from trainer.errors import UserError


class Archive(Protocol):
    """Files by their POSIX path relative to the archive's top folder; `read` is thread-safe."""

    path: Path
    names: list[str]

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        ...


def open_archive(path: Path, markers: Sequence[str] = (), expected: str = "") -> Archive:
    """Open a folder or zip. Its top folder is the one with any of ``markers``: a zip may have it at its root or deeper.

    Args:
        path: the folder or zip.
        markers: files, or folders with a trailing slash, in the top folder; none if ``path`` itself is the top.
        expected: what the archive should hold, for the message when no marker is found.

    Raises:
        UserError: no such path, not a zip, a truncated zip, a path that leaves the archive, or no marker.
    """
    if path.is_dir():
        return _Folder(path, markers, expected)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; expected {expected or 'a folder or a zip'}")
    return _Zip(path, markers, expected)


def _top(names: list[str], markers: Sequence[str], path: Path, expected: str) -> str:
    """The path prefix of the top folder."""
    if not markers:
        return ""
    tops = sorted({name[:at] for name in names for marker in markers if (at := _position(name, marker)) >= 0})
    if not tops:
        raise UserError(f"{path}: does not contain {' or '.join(m.rstrip('/') for m in markers)}; expected {expected}")
    if len(tops) > 1:
        raise UserError(
            f"{path}: contains {len(tops)} exports ({', '.join(t or '.' for t in tops[:4])}): choose one of them"
        )
    return tops[0]


def _position(name: str, marker: str) -> int:
    """The index of a marker in a path, as whole components; -1 if it is not in it."""
    if marker.endswith("/"):
        return f"/{name}".find(f"/{marker}")
    return len(name) - len(marker) if PurePosixPath(name).name == marker else -1


class _Folder:
    def __init__(self, path: Path, markers: Sequence[str], expected: str) -> None:
        files = [p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file()]
        files = [name for name in files if not is_system_file(name)]
        top = _top(files, markers, path, expected)
        self.path = path
        self._root = path / top
        self.names = [name[len(top) :] for name in files if name.startswith(top)]

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Zip:
    def __init__(self, path: Path, markers: Sequence[str], expected: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{path}: is not a complete zip ({error}): download the export again") from None
        files = [i.filename for i in self._zip.infolist() if not i.is_dir() and not is_system_file(i.filename)]
        for name in files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                raise UserError(f"{path}: contains the path {name!r}, which leaves the archive; nothing was read")
        self.path = path
        self._prefix = _top(files, markers, path, expected)
        self.names = [name[len(self._prefix) :] for name in files if name.startswith(self._prefix)]

    def read(self, name: str) -> bytes:
        try:
            return self._zip.read(self._prefix + name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise UserError(f"{self.path}: {name} cannot be unpacked ({error}): download the export again") from None
