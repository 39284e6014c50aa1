"""A labelling tool's export, whether it is a zip or an unpacked folder, read the same way."""

import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from trainer.errors import UserError


class Archive(Protocol):
    """The files of an export by their POSIX path relative to its top."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        ...


def open_archive(path: Path, marker: str) -> Archive:
    """Open an export whose top is where the file ``marker`` lies.

    Raises:
        UserError: no such path, not a zip, half a zip, a path in it that leaves it, or no marker in it.
    """
    if path.is_dir():
        return _Folder(path, marker)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; expected an export, zipped or unpacked")
    return _Zip(path, marker)


def _top(names: list[str], marker: str, path: Path) -> str:
    """The folder prefix under which ``marker`` lies; people zip the folder as often as its contents."""
    tops = sorted({name[: -len(marker)] for name in names if PurePosixPath(name).name == marker})
    if not tops:
        raise UserError(
            f'{path}: has no {marker}; expected an export in CVAT\'s format "Segmentation mask 1.1" '
            "(Menu > Export job dataset)"
        )
    if len(tops) > 1:
        raise UserError(
            f"{path}: holds {len(tops)} exports ({', '.join(t or '.' for t in tops[:4])}): name one of them"
        )
    return tops[0]


def is_litter(name: str) -> bool:
    """What operating systems leave in folders and zips."""
    last = PurePosixPath(name).name
    return name.startswith("__MACOSX/") or last.startswith("._") or last in {".DS_Store", "Thumbs.db", "desktop.ini"}


class _Folder:
    def __init__(self, path: Path, marker: str) -> None:
        files = [p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file()]
        files = [name for name in files if not is_litter(name)]
        top = _top(files, marker, path)
        self._root = path / top
        self.names = [name[len(top) :] for name in files if name.startswith(top)]

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Zip:
    def __init__(self, path: Path, marker: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{path}: is not a whole zip ({error}): download the export again") from None
        files = [i.filename for i in self._zip.infolist() if not i.is_dir() and not is_litter(i.filename)]
        for name in files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                raise UserError(f"{path}: holds the path {name!r}, which leaves the archive; nothing was read")
        self._path = path
        self._prefix = _top(files, marker, path)
        self.names = [name[len(self._prefix) :] for name in files if name.startswith(self._prefix)]

    def read(self, name: str) -> bytes:
        try:
            return self._zip.read(self._prefix + name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise UserError(f"{self._path}: {name} cannot be unpacked ({error}): download the export again") from None
