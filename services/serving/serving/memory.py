"""The process's memory: freed when a version is unloaded, and its resident size."""

import ctypes
import gc
import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


def freeze_imports() -> None:
    """Exclude the objects of all imports from garbage collection; call once, before the first load.

    They never become garbage, and TensorFlow has 300,000 of them: without them a collection stops all requests for
    milliseconds instead of hundreds.
    """
    gc.collect()
    gc.freeze()


def limit_arenas() -> None:
    """Limit glibc to one heap per core instead of eight; call once, before the first load.

    Many threads load and free versions, and each heap keeps fragments: with OpenVINO half a megabyte per version.
    With another C library this does nothing.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, os.cpu_count() or 1)


def reclaim() -> None:
    """Free the memory of unloaded versions, and return it to the system.

    TensorFlow's graphs are reference cycles: their weights stay until the garbage collector runs, which by itself it
    does after ten versions or never. With glibc, the freed pages are also returned to the system.
    """
    gc.collect()
    if _malloc_trim is not None:
        _malloc_trim(0)


def resident_bytes() -> int | None:
    """The process's resident memory in bytes; None on a system without Linux's /proc."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


_M_ARENA_MAX = -8  # malloc.h
_mallopt, _malloc_trim = (getattr(ctypes.CDLL(None), name, None) for name in ("mallopt", "malloc_trim"))
