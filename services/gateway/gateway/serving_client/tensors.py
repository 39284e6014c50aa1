"""Arrays to and from TensorFlow's wire format."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import TensorSpec
from contract.wire import Piece, field
from gateway.errors import BadServingReply
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.wire import read_varints

_CONTENT = pb.Tensor.DESCRIPTOR.fields_by_name["tensor_content"].number
_DTYPE_NAMES: dict[int, str] = {
    pb.DT_FLOAT: "float32",
    pb.DT_INT32: "int32",
    pb.DT_UINT8: "uint8",
    pb.DT_STRING: "string",
    pb.DT_INT64: "int64",
}

# By dtype: what tensor_content holds, and the field used otherwise.
_FIELDS: dict[int, tuple[str, str]] = {
    pb.DT_FLOAT: ("<f4", "float_val"),
    pb.DT_INT32: ("<i4", "int_val"),
    pb.DT_UINT8: ("u1", "int_val"),
    pb.DT_INT64: ("<i8", "int64_val"),
}
_NUMBERS = ", ".join(_DTYPE_NAMES[dtype] for dtype in _FIELDS)


def from_image(image: NDArray[np.uint8] | NDArray[np.float32]) -> list[Piece]:
    """[H,W,3] as a Tensor message of a batch of one, [1,H,W,3], of the same dtype, in pieces (:mod:`.wire`)."""
    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in (1, *image.shape)])
    dtype = pb.DT_UINT8 if image.dtype == np.uint8 else pb.DT_FLOAT
    pixels = np.ascontiguousarray(image).reshape(-1).view(np.uint8)
    return [pb.Tensor(dtype=dtype, tensor_shape=shape).SerializeToString(), *field(_CONTENT, [pixels.data])]


def from_text(text: str) -> pb.Tensor:
    """A batch of one string, string [1]."""
    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=1)])
    return pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape, string_val=[text.encode()])


def to_image_output(tensor: pb.Tensor, name: str, spec: TensorSpec) -> NDArray[Any]:
    """The output for a batch of one image, without its batch dimension; ``name`` is what errors call it.

    Args:
        tensor: as serving replied.
        name: of the output.
        spec: what the contract specifies, [N, …].

    Raises:
        BadServingReply: another dtype or shape, fewer values than the shape implies, or values beyond uint8.
    """
    shape, expected = shape_of(tensor.tensor_shape), (1, *spec.shape[1:])
    if dtype_name(tensor.dtype) != spec.dtype or shape != expected:
        raise BadServingReply(
            f"serving's {name} is {dtype_name(tensor.dtype)} {list(shape)}; expected {spec.dtype} {list(expected)}"
        )
    values = to_array(tensor, name)[0]
    return to_uint8(values, name) if tensor.dtype == pb.DT_UINT8 else values


def to_array(tensor: pb.Tensor, name: str) -> NDArray[Any]:
    """Numbers of any shape, as float32, int32, int64 or uint8; integers may be wider or narrower than the dtype.

    TensorFlow Serving fills the field of the type; ``tensor_content`` is read too.

    Raises:
        BadServingReply: another dtype, or another number of values than the shape has.
    """
    if tensor.dtype not in _FIELDS:
        raise BadServingReply(f"serving's {name} is {dtype_name(tensor.dtype)}; expected one of {_NUMBERS}")
    content, typed = _FIELDS[tensor.dtype]
    shape = shape_of(tensor.tensor_shape)
    if tensor.tensor_content:
        if len(tensor.tensor_content) % np.dtype(content).itemsize:
            raise BadServingReply(f"serving's {name} ends in the middle of a value")
        values: NDArray[Any] = np.frombuffer(tensor.tensor_content, content)
    elif typed == "float_val":
        # np.array takes the packed field in one go, np.fromiter value by value: 50 times slower.
        values = np.array(tensor.float_val, np.float32)
    else:
        try:
            values = read_varints(getattr(tensor, typed))
        except ValueError as error:
            raise BadServingReply(f"serving's {name} cannot be read: {error}") from None
    if min(shape, default=0) < 0 or values.size != math.prod(shape):
        raise BadServingReply(f"serving's {name} has {values.size} values; its shape is {list(shape)}")
    return values.reshape(shape)


def to_uint8(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """The same numbers as uint8.

    Raises:
        BadServingReply: some do not fit.
    """
    narrow = values.astype(np.uint8, copy=False)
    if narrow is not values and not np.array_equal(narrow, values):
        raise BadServingReply(f"serving's {name} has values outside 0 to 255")
    return narrow


def to_text(tensor: pb.Tensor) -> str:
    """The one string of a batch of one.

    Raises:
        BadServingReply: anything else.
    """
    if tensor.dtype != pb.DT_STRING or len(tensor.string_val) != 1:
        raise BadServingReply(
            f"serving replied with {dtype_name(tensor.dtype)} and {len(tensor.string_val)} strings; expected one string"
        )
    return tensor.string_val[0].decode(errors="replace")


def shape_of(shape: pb.TensorShape) -> tuple[int, ...]:
    """Sizes, -1 where unknown."""
    return tuple(dim.size for dim in shape.dim)


def spec_of(info: pb.TensorInfo) -> TensorSpec:
    """A signature's tensor in the contract's terms."""
    shape = tuple(size if size >= 0 else None for size in shape_of(info.tensor_shape))
    return TensorSpec(dtype_name(info.dtype), shape)


def dtype_name(dtype: int) -> str:
    """``uint8`` for DT_UINT8; the number for types that the gateway does not use."""
    return _DTYPE_NAMES.get(dtype, f"type {dtype}")
