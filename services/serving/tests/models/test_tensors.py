"""TensorProto to NumPy and back: every encoding a client may send, and the fields a reply uses."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.models import tensors


def written(value):
    return tensor_pb2.TensorProto.FromString(b"".join(tensors.write(value)))


def proto(dtype, shape=(), **values):
    result = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        result.tensor_shape.dim.add(size=size)
    return result


class TestToNumpy:
    @pytest.mark.parametrize(
        "array",
        [
            np.arange(6, dtype=dtype).reshape(2, 3)
            for dtype in ("uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64")
        ]
        + [np.array([[True, False]]), np.array([1 + 2j], np.complex64), np.array([1.5], ml_dtypes.bfloat16)],
        ids=lambda array: array.dtype.name,
    )
    def test_content(self, array):
        sent = proto(tf.as_dtype(array.dtype).as_datatype_enum, array.shape, tensor_content=array.tobytes())
        back = tensors.to_numpy(sent)
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)

    def test_values(self):
        sent = proto(types_pb2.DT_UINT8, (2, 2), int_val=[1, 2, 3, 4])
        assert tensors.to_numpy(sent).tolist() == [[1, 2], [3, 4]]

    def test_last_value_is_repeated(self):
        assert tensors.to_numpy(proto(types_pb2.DT_FLOAT, (4,), float_val=[1, 2])).tolist() == [1, 2, 2, 2]
        assert tensors.to_numpy(proto(types_pb2.DT_FLOAT, (2,))).tolist() == [0, 0]

    def test_strings(self):
        sent = proto(types_pb2.DT_STRING, (2,), string_val=[b"\xff\x00", b""])
        assert tensors.to_numpy(sent).tolist() == [b"\xff\x00", b""]
        packed = proto(types_pb2.DT_STRING, (2,), tensor_content=b"\x02\x01hi!")
        assert tensors.to_numpy(packed).tolist() == [b"hi", b"!"]

    def test_value_without_a_shape_is_a_scalar(self):
        for sent, value in [
            (proto(types_pb2.DT_INT64, int64_val=[7]), 7),
            (proto(types_pb2.DT_STRING, string_val=[b"x"]), b"x"),
            (proto(types_pb2.DT_FLOAT, tensor_content=np.float32(2).tobytes()), 2.0),
        ]:
            array = tensors.to_numpy(sent)
            assert array.shape == ()
            assert array.item() == value

    @pytest.mark.parametrize(
        "sent",
        [
            proto(types_pb2.DT_FLOAT, (2,), tensor_content=b"abc"),
            proto(types_pb2.DT_FLOAT, (2,), tensor_content=bytes(4)),
            proto(types_pb2.DT_UINT8, (-1,), tensor_content=bytes(4)),
            proto(types_pb2.DT_UINT8, (2**40, 2**40), int_val=[1]),
            proto(types_pb2.DT_INVALID),
            proto(types_pb2.DT_STRING, (1,), tensor_content=b"\xff"),
            proto(types_pb2.DT_RESOURCE),
            tensor_pb2.TensorProto(dtype=99),
            tensor_pb2.TensorProto(
                dtype=types_pb2.DT_UINT8, tensor_shape={"unknown_rank": True}, tensor_content=bytes(4)
            ),
        ],
        ids=[
            "cut",
            "short",
            "unknown-size",
            "too-large",
            "no-dtype",
            "cut-string",
            "resource",
            "dtype-99",
            "unknown-rank",
        ],
    )
    def test_refusals(self, sent):
        with pytest.raises(ValueError, match=r"."):
            tensors.to_numpy(sent)


class TestWrite:
    @pytest.mark.parametrize(
        ("array", "field", "values"),
        [
            (np.array([0, 127, 128, 255], np.uint8), "int_val", [0, 127, 128, 255]),
            (np.array([5, 6], np.uint8), "int_val", [5, 6]),
            (np.array([300, 2], np.uint16), "int_val", [300, 2]),
            (np.array([-1, 2], np.int8), "int_val", [-1, 2]),
            (np.array([-5, 2**31 - 1], np.int32), "int_val", [-5, 2**31 - 1]),
            (np.array([18, 3], np.int64), "int64_val", [18, 3]),
            (np.array([-(2**63)], np.int64), "int64_val", [-(2**63)]),
            (np.array([2**32 - 1], np.uint32), "uint32_val", [2**32 - 1]),
            (np.array([2**64 - 1], np.uint64), "uint64_val", [2**64 - 1]),
            (np.array([True, False]), "bool_val", [True, False]),
            (np.array([1.5, -2], np.float32), "float_val", [1.5, -2]),
            (np.array([1.5], np.float64), "double_val", [1.5]),
            (np.array([1.0], np.float16), "half_val", [0x3C00]),
            (np.array([1.0], ml_dtypes.bfloat16), "half_val", [0x3F80]),
            (np.array([1 + 2j], np.complex64), "scomplex_val", [1, 2]),
            (np.array([1 + 2j], np.complex128), "dcomplex_val", [1, 2]),
            (np.array([b"a", b"\xff"], object), "string_val", [b"a", b"\xff"]),
            (b"scalar", "string_val", [b"scalar"]),
            (np.float32(2), "float_val", [2]),
            (np.zeros((0, 3), np.float32), "float_val", []),
            (np.zeros((0, 3), np.uint8), "int_val", []),
        ],
        ids=str,
    )
    def test_values_go_into_their_field_and_never_into_content(self, array, field, values):
        sent = written(array)
        assert list(getattr(sent, field)) == values
        assert sent.tensor_content == b""
        assert [dim.size for dim in sent.tensor_shape.dim] == list(np.shape(array))

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 255)), st.sampled_from(["uint8", "int16", "int32", "int64", "uint32", "uint64"]))
    def test_tensorflow_reads_what_is_written(self, values, dtype):
        array = np.array(values, dtype)
        assert np.array_equal(tf.make_ndarray(written(array)), array)

    def test_rows_are_written_one_after_the_other(self):
        array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
        assert list(written(array).float_val) == [0, 1, 2, 3, 4, 5]

    def test_dtype_without_a_field_is_refused(self):
        with pytest.raises(TypeError, match="expected one of bool, int8"):
            written(np.array(["2026-01-01"], "datetime64[D]"))
