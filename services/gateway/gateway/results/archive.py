"""A zip that is written while it is sent: only its entries' names are kept."""

import re
import time
from pathlib import PurePosixPath
from zipfile import ZipFile, ZipInfo

# Windows refuses these in names, and every control character.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_MAX_STEM = 100


class ZipStream:
    """Takes entries and returns the bytes to send. Entries are stored uncompressed: images are compressed already."""

    def __init__(self) -> None:
        self._out = _Outbox()
        self._zip = ZipFile(self._out, "w")
        self._made_at = time.localtime()[:6]

    def add(self, name: str, data: bytes) -> bytes:
        """The bytes of one entry."""
        self._zip.writestr(ZipInfo(name, self._made_at), data)
        return self._out.take()

    def end(self) -> bytes:
        """The central directory, after the last entry."""
        self._zip.close()
        return self._out.take()


class EntryNames:
    """Unique names of entries, after the files that were sent; none leads out of the folder it is unpacked to."""

    def __init__(self, *taken: str) -> None:
        self._taken = {name.casefold() for name in taken}

    def give(self, filename: str, extension: str) -> str:
        """``photo.png`` for ``C:\\fakepath\\photo.JPG``, and ``photo-2.png`` for the next of that name."""
        name = re.split(r"[/\\]", filename)[-1]
        stem = _UNSAFE.sub("_", PurePosixPath(name).stem).strip(". ")[:_MAX_STEM] or "image"
        number, found = 1, f"{stem}.{extension}"
        while found.casefold() in self._taken:
            number += 1
            found = f"{stem}-{number}.{extension}"
        self._taken.add(found.casefold())
        return found


class _Outbox:
    """A file that cannot seek, so that zipfile writes sizes after the data."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do: bytes are taken when an entry is complete."""

    def close(self) -> None:
        """Nothing to do."""

    def take(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)
