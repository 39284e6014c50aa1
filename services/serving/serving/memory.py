"""The process's memory: given back when a version goes, and how much of it is resident."""

import ctypes
import gc
import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


def freeze_imports() -> None:
    """Take what the imports made out of the garbage collector's sight; to be called once, before the first load.

    It never becomes garbage, and TensorFlow brings 300,000 objects: without them a collection takes milliseconds in
    which no request is answered, not hundreds.
    """
    gc.collect()
    gc.freeze()


def limit_arenas() -> None:
    """Let glibc keep one heap per core, not eight; to be called once, before the first load.

    Threads of all kinds load and free versions, and each heap keeps pieces of what passed through it: with OpenVINO
    that came to half a megabyte a version. Where the C library is another one, nothing is done.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, os.cpu_count() or 1)


def reclaim() -> None:
    """Free what dropped versions leave behind, and give it back to the system.

    TensorFlow's graphs are reference cycles: their weights stay until the collector comes by, which left to itself
    it does after ten versions or never. Where the C library is glibc, the freed pages are handed back as well.
    """
    gc.collect()
    if _malloc_trim is not None:
        _malloc_trim(0)


def resident_bytes() -> int | None:
    """Bytes of the process in memory; None on a system without Linux's /proc."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


_M_ARENA_MAX = -8  # malloc.h
_mallopt, _malloc_trim = (getattr(ctypes.CDLL(None), name, None) for name in ("mallopt", "malloc_trim"))
