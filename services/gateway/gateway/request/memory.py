"""glibc's heap, told that buffers of a picture's size are nothing out of the ordinary."""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)

# A picture of 1920x1080 as RGB is 6 MiB; what is larger still goes back to the system at once.
_LARGEST_KEPT_BYTES = 8 * 2**20
_KEPT_BYTES = 32 * 2**20


def keep_buffers() -> None:
    """Keep what a request frees for the next one; to be called once, before the first.

    Left to itself, glibc gives pictures, requests and replies back to the system and asks for them anew, page by page:
    at 640x480 that took 1.1 of the 3.2 ms of a call to a model that answers at once. One heap per core is enough, and
    bounds what is kept. Where the C library is another one, nothing is done.
    """
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        _mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        _mallopt(_M_ARENA_MAX, os.cpu_count() or 1)
