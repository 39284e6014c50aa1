import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.wire import varint
from gateway.serving_client import varints

ANY_NUMBER = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def encode(number: int) -> bytes:
    """protobuf counts a negative number as 64 bits without a sign."""
    return varint(number % 2**64)


@given(st.lists(ANY_NUMBER, min_size=1, max_size=20))
def test_numbers_come_back(numbers):
    assert varints.decode(b"".join(map(encode, numbers))).tolist() == numbers


def test_class_ids_are_not_even_copied():
    packed = bytes(range(128))
    decoded = varints.decode(packed)
    assert decoded.dtype == np.uint8
    assert decoded.tobytes() == packed
    assert not decoded.flags.owndata


def test_no_numbers_are_none():
    assert varints.decode(b"").size == 0


@pytest.mark.parametrize(
    ("packed", "complaint"), [(b"\x01\x80", "middle of a number"), (b"\xff" * 10 + b"\x01", "a number of 11 bytes")]
)
def test_what_is_no_number_is_refused(packed, complaint):
    with pytest.raises(ValueError, match=complaint):
        varints.decode(packed)
