"""Requests written and numbers read by hand, as protobuf does it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.wire import varint
from gateway.serving_client import tensors, wire
from gateway.serving_client.protocol import serving_pb2 as pb

SPEC = pb.ModelSpec(name="shapes", signature_name="scores", version_label="stable")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_request_in_pieces_is_read_by_protobuf(dtype):
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(dtype)
    request = wire.predict_request(SPEC, {"image": tensors.from_image(image)}, ["mask", "confidence"])
    assert request.model_spec is SPEC

    read = pb.PredictRequest.FromString(request.data)
    assert read.model_spec == SPEC
    assert list(read.output_filter) == ["mask", "confidence"]
    assert list(read.inputs) == ["image"]
    assert np.array_equal(tensors.to_array(read.inputs["image"], "image"), image[None])


def test_non_contiguous_image_is_written_in_order():
    """A mirrored one, for instance, as EXIF may require."""
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)[:, ::-1]
    read = pb.PredictRequest.FromString(wire.predict_request(SPEC, {"x": tensors.from_image(image)}, []).data)
    assert np.array_equal(tensors.to_array(read.inputs["x"], "x")[0], image)


ANY_NUMBER = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def encode(number: int) -> bytes:
    """protobuf counts a negative number as 64 bits without a sign."""
    return varint(number % 2**64)


@settings(deadline=None)
@given(st.lists(ANY_NUMBER, min_size=1, max_size=20))
def test_varints_round_trip(numbers):
    assert wire.read_varints(b"".join(map(encode, numbers))).tolist() == numbers


def test_class_ids_below_128_are_not_copied():
    packed = bytes(range(128))
    decoded = wire.read_varints(packed)
    assert decoded.dtype == np.uint8
    assert decoded.tobytes() == packed
    assert not decoded.flags.owndata


def test_empty_bytes_are_no_varints():
    assert wire.read_varints(b"").size == 0


@pytest.mark.parametrize(
    ("packed", "complaint"), [(b"\x01\x80", "middle of a number"), (b"\xff" * 10 + b"\x01", "a number of 11 bytes")]
)
def test_invalid_varint_is_refused(packed, complaint):
    with pytest.raises(ValueError, match=complaint):
        wire.read_varints(packed)
