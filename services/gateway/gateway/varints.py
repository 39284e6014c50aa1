"""Protobuf's packed integers as arrays (https://protobuf.dev/programming-guides/encoding)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Seven bits each; 64 bits need no more.
_LONGEST = 10


def decode(packed: bytes) -> NDArray[Any]:
    """The numbers of a packed ``repeated int32`` or ``int64``: uint8 where each takes one byte, else int64.

    Raises:
        ValueError: the last number is cut off, or one is longer than a number can be.
    """
    bytes_ = np.frombuffer(packed, np.uint8)
    is_last = bytes_ < 0x80
    if is_last.all():  # as class ids are
        return bytes_
    if not is_last[-1]:
        raise ValueError("it ends in the middle of a number")
    last = np.flatnonzero(is_last)
    first = np.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    if length.max() > _LONGEST:
        raise ValueError(f"a number of {length.max()} bytes; the longest have {_LONGEST}")
    numbers = np.zeros(len(last), np.uint64)
    for place in range(length.max()):
        there = length > place
        numbers[there] |= (bytes_[first[there] + place] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
    return numbers.view(np.int64)
