"""Protobuf's packed integers as arrays (https://protobuf.dev/programming-guides/encoding)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Seven bits each; 64 bits need no more.
_LONGEST = 10


def decode(packed: bytes) -> NDArray[Any]:
    """The numbers of a packed ``repeated int32`` or ``int64``: uint8 or uint16 where a byte or two hold each, or int64.

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
    length = np.diff(last, prepend=-1)
    longest = length.max()
    if longest > _LONGEST:
        raise ValueError(f"a number of {longest} bytes; the longest have {_LONGEST}")
    narrow = longest <= 2  # fourteen bits: confidences, and ids from 128
    numbers: NDArray[Any] = bytes_[last].astype(np.uint16 if narrow else np.uint64)
    for back in range(1, longest):
        lower = bytes_[last - back] & np.uint8(0x7F)
        numbers = np.where(length > back, np.left_shift(numbers, 7) | lower, numbers)
    return numbers if narrow else numbers.view(np.int64)
