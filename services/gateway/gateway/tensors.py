"""Arrays to and from TensorFlow's wire format."""

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadServingReply
from gateway.protocol import serving_pb2 as pb

_DTYPE_NAMES: dict[int, str] = {
    pb.DT_FLOAT: "float32",
    pb.DT_INT32: "int32",
    pb.DT_UINT8: "uint8",
    pb.DT_STRING: "string",
    pb.DT_INT64: "int64",
}


def from_image(image: NDArray[np.uint8]) -> pb.Tensor:
    """uint8 [H,W,3] as a batch of one, uint8 [1,H,W,3]."""
    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in (1, *image.shape)])
    return pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=shape, tensor_content=image.tobytes())


def from_text(text: str) -> pb.Tensor:
    """A batch of one string, string [1]."""
    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=1)])
    return pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape, string_val=[text.encode()])


def to_mask(tensor: pb.Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """The one mask of a batch of one, uint8 [H,W].

    TensorFlow Serving puts uint8 in ``int_val``; a server that fills ``tensor_content`` is understood too.

    Raises:
        BadServingReply: another dtype or shape, or fewer values than the shape says.
    """
    shape = shape_of(tensor.tensor_shape)
    if tensor.dtype != pb.DT_UINT8 or shape != (1, height, width):
        raise BadServingReply(
            f"serving's mask is {dtype_name(tensor.dtype)} {list(shape)}; expected uint8 {[1, height, width]}"
        )
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, np.uint8)
    else:
        # np.array takes the packed field in one go, np.fromiter value by value: 50 times slower.
        wide = np.array(tensor.int_val, np.int32)
        values = wide.astype(np.uint8)
        if not np.array_equal(values, wide):
            raise BadServingReply("serving's mask has values outside 0 to 255")
    if values.size != height * width:
        raise BadServingReply(f"serving's mask has {values.size} values; its shape says {height * width}")
    return values.reshape(height, width)


def to_text(tensor: pb.Tensor) -> str:
    """The one string of a batch of one.

    Raises:
        BadServingReply: anything else.
    """
    if tensor.dtype != pb.DT_STRING or len(tensor.string_val) != 1:
        raise BadServingReply(
            f"serving answered {dtype_name(tensor.dtype)} with {len(tensor.string_val)} strings; expected one string"
        )
    return tensor.string_val[0].decode(errors="replace")


def shape_of(shape: pb.TensorShape) -> tuple[int, ...]:
    """Sizes, -1 where unknown."""
    return tuple(dim.size for dim in shape.dim)


def dtype_name(dtype: int) -> str:
    """``uint8`` for DT_UINT8; the number for types the gateway has no use for."""
    return _DTYPE_NAMES.get(dtype, f"type {dtype}")
