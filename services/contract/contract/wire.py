"""Protobuf's encoding written by hand, for messages whose classes are not available or copy too much.

https://protobuf.dev/programming-guides/encoding
"""

from typing import List, Sequence, Union

# A message as a list of pieces, to be joined: large values are copied only once.
Piece = Union[bytes, memoryview]

_LENGTH_DELIMITED = 2


def varint(number: int) -> bytes:
    """``number``, at least 0, as seven bits per byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def varint_field(number: int, value: int) -> bytes:
    """The field ``number`` with an integer of at least 0, or an enumeration's value."""
    return varint(number << 3) + varint(value)


def field(number: int, value: Sequence[Piece]) -> List[Piece]:
    """The field ``number`` with a value that has a length: a string, bytes, packed numbers or a message."""
    return [varint(number << 3 | _LENGTH_DELIMITED) + varint(sum(map(len, value))), *value]
