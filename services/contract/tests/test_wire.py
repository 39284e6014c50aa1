"""Protobuf's encoding, compared with a reader written out in full."""

import pytest

from contract.wire import field, varint, varint_field


def read_varint(data: bytes) -> "tuple[int, bytes]":
    number = 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, data[place + 1 :]
    raise AssertionError("cut off")


def test_varints_as_bytes():
    expected = {0: "00", 1: "01", 127: "7f", 128: "8001", 150: "9601", 2**32: "8080808010"}
    assert {value: varint(value).hex() for value in expected} == expected


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 300, 307_200, 2**32, 2**63])
def test_varint(number):
    assert read_varint(varint(number) + b"rest") == (number, b"rest")


def test_examples_of_the_specification():
    assert varint_field(1, 150) == bytes.fromhex("089601")
    assert b"".join(field(2, [b"testing"])) == bytes.fromhex("120774657374696e67")


def test_message_of_pieces_has_their_length():
    image = memoryview(bytes(921_600))
    tag, rest = read_varint(b"".join(field(4, [b"head", image])))
    length, value = read_varint(rest)
    assert (tag >> 3, tag & 7) == (4, 2)
    assert length == len(value) == 4 + 921_600
    assert value[:4] == b"head"
