"""Protobuf written and read by hand where its classes are too slow: requests with an image, replies with a mask.

https://protobuf.dev/programming-guides/encoding. :mod:`contract.wire` writes fields and varints.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.wire import Piece, field
from gateway.serving_client.protocol import serving_pb2 as pb

_INPUTS = pb.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
_KEY, _VALUE = 1, 2  # of every map's entries

# Seven bits a byte; 64 bits need no more.
_LONGEST_VARINT = 10


@dataclasses.dataclass(frozen=True)
class WrittenRequest:
    """A PredictRequest's bytes, and the model that it is for."""

    model_spec: pb.ModelSpec
    data: bytes = dataclasses.field(repr=False)


def predict_request(
    model_spec: pb.ModelSpec, inputs: Mapping[str, Sequence[Piece]], output_filter: Sequence[str]
) -> WrittenRequest:
    """A PredictRequest whose inputs are Tensor messages in pieces, so that the image in them is copied once.

    protobuf copies it into the Tensor, with the Tensor into the map of inputs, from there into the message's bytes,
    and gRPC has the event loop do the last of these.
    """
    pieces: list[Piece] = [pb.PredictRequest(model_spec=model_spec, output_filter=output_filter).SerializeToString()]
    for name, tensor in inputs.items():
        pieces += field(_INPUTS, [*field(_KEY, [name.encode()]), *field(_VALUE, tensor)])
    return WrittenRequest(model_spec, b"".join(pieces))


def read_varints(packed: bytes) -> NDArray[Any]:
    """The numbers [N] of a packed ``repeated int32`` or ``int64``.

    uint8 where each has one byte, uint16 where each has at most two, else int64.

    Raises:
        ValueError: the last number is cut off, or one has more than 10 bytes.
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
    if longest > _LONGEST_VARINT:
        raise ValueError(f"a number of {longest} bytes; the longest have {_LONGEST_VARINT}")
    narrow = longest <= 2  # fourteen bits: confidences, and ids from 128
    numbers: NDArray[Any] = bytes_[last].astype(np.uint16 if narrow else np.uint64)
    for back in range(1, longest):
        lower = bytes_[last - back] & np.uint8(0x7F)
        numbers = np.where(length > back, np.left_shift(numbers, 7) | lower, numbers)
    return numbers if narrow else numbers.view(np.int64)
