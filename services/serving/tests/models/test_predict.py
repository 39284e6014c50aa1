"""Predict's answers, row by row: what is checked first, with which code and text, on the running server."""

import numpy as np
import pytest
import tensorflow as tf
from grpc import RpcError, StatusCode
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

IMAGE = np.zeros((1, 4, 5, 3), np.uint8)
ROW = np.zeros((1, 3), np.float32)
VECTOR = np.zeros(2, np.float32)


def _without_spec(build):
    return predict_pb2.PredictRequest()


def _broken_tensor(build):
    request = build("segmenter", "floats", x=ROW)
    request.inputs["x"].CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"abc"))
    return request


INVALID, MISSING, PRECONDITION = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION

REFUSED = {
    "no model_spec": (_without_spec, INVALID, "Missing ModelSpec"),
    "empty name": (lambda build: build("", x=ROW), INVALID, "ModelSpec has no name specified."),
    "unknown label": (
        lambda build: build("segmenter", label="canary", image=IMAGE),
        INVALID,
        "Unrecognized servable version label: canary",
    ),
    "label of an unknown model": (
        lambda build: build("nobody", label="stable", image=IMAGE),
        INVALID,
        "Unrecognized servable version label: stable",
    ),
    "unknown model": (lambda build: build("nobody"), MISSING, "Servable not found for request: Latest(nobody)"),
    "unknown model and version": (
        lambda build: build("nobody", version=7),
        MISSING,
        "Servable not found for request: Specific(nobody, 7)",
    ),
    "unknown version": (
        lambda build: build("segmenter", version=7),
        MISSING,
        "Servable not found for request: Specific(segmenter, 7)",
    ),
    "unknown signature": (
        lambda build: build("segmenter", "no_such"),
        PRECONDITION,
        'Serving signature key "no_such" not found.',
    ),
    "a signature that is no prediction": (
        lambda build: build("segmenter", "__saved_model_init_op"),
        StatusCode.INTERNAL,
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: ",
    ),
    "one input missing": (
        lambda build: build("segmenter", "add", a=VECTOR),
        INVALID,
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    "one input too many": (
        lambda build: build("segmenter", "floats", x=ROW, z=ROW),
        INVALID,
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. Missing but required: {}.",
    ),
    "wrong alias": (
        lambda build: build("segmenter", "floats", z=ROW),
        INVALID,
        "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
    ),
    "broken tensor": (_broken_tensor, INVALID, "tensor parsing error: x"),
    "unknown output": (
        lambda build: build("segmenter", "floats", outputs=["q"], x=ROW),
        INVALID,
        "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
    ),
    "repeated output": (
        lambda build: build("segmenter", "floats", outputs=["y", "y"], x=ROW),
        INVALID,
        "duplicate output tensor alias: y",
    ),
    "wrong dtype": (
        lambda build: build("segmenter", "floats", x=np.zeros((1, 3), np.int32)),
        INVALID,
        "Expects arg[0] to be float but int32 is provided",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(server, predict_request, case):
    build, code, text = REFUSED[case]
    with pytest.raises(RpcError) as error:
        server.prediction.Predict(build(predict_request))
    assert (error.value.code(), error.value.details()) == (code, text)


@pytest.mark.parametrize("shape", [(3,), (1, 4)], ids=["rank", "channels"])
def test_wrong_shape_is_refused_by_the_operation(server, predict_request, shape):
    with pytest.raises(RpcError) as error:
        server.prediction.Predict(predict_request("segmenter", "floats", x=np.zeros(shape, np.float32)))
    assert error.value.code() is INVALID
    assert "In[0]" in error.value.details()  # MatMul's text; Python's session would print "Cannot feed value of shape"


# Each request is wrong twice; the earlier check answers.
ORDER = {
    "label before model": (lambda build: build("nobody", label="x"), "Unrecognized servable version label"),
    "version before signature": (lambda build: build("segmenter", "no_such", version=7), "Servable not found"),
    "signature before inputs": (lambda build: build("segmenter", "no_such", z=ROW), "Serving signature key"),
    "inputs before outputs": (lambda build: build("segmenter", "floats", outputs=["q"], z=ROW), "input tensor alias"),
    "count before alias": (lambda build: build("segmenter", "add", z=ROW), "input size does not match"),
    "outputs before dtype": (
        lambda build: build("segmenter", "floats", outputs=["q"], x=np.zeros(1, np.int32)),
        "output tensor alias",
    ),
}


@pytest.mark.parametrize("case", ORDER)
def test_order_of_checks(server, predict_request, case):
    build, text = ORDER[case]
    with pytest.raises(RpcError, match=text):
        server.prediction.Predict(build(predict_request))


def test_input_shape_is_not_checked_against_the_signature(server, predict_request):
    reply = server.prediction.Predict(predict_request("segmenter", image=np.zeros((2, 7, 9, 3), np.uint8)))
    assert tf.make_ndarray(reply.outputs["mask"]).shape == (2, 7, 9)


def test_long_messages_are_cut(server, predict_request):
    with pytest.raises(RpcError) as error:
        server.prediction.Predict(predict_request("segmenter", "refuse", text=["x" * 3000]))
    assert error.value.code() is INVALID
    assert len(error.value.details()) == 1024 + len("...TRUNCATED")
    assert error.value.details().endswith("...TRUNCATED")


def test_masks_are_returned_in_int_val(server, predict_request):
    image = np.random.default_rng(1).integers(0, 256, (1, 48, 64, 3), np.uint8)
    reply = server.prediction.Predict(predict_request("segmenter", image=image))
    mask, confidence = reply.outputs["mask"], reply.outputs["confidence"]
    assert mask.dtype == types_pb2.DT_UINT8
    assert mask.tensor_content == confidence.tensor_content == b""
    assert np.array_equal(np.array(mask.int_val).reshape(1, 48, 64), image.argmax(-1))
    assert np.array_equal(np.array(confidence.int_val).reshape(1, 48, 64), image.max(-1))


# 0, 1 and 2 in the field that Tensor::AsProtoField writes them to.
FIELDS = {
    "bool": ("bool_val", [False, True, True]),
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), ("int_val", [0, 1, 2])),
    "int64": ("int64_val", [0, 1, 2]),
    "uint32": ("uint32_val", [0, 1, 2]),
    "uint64": ("uint64_val", [0, 1, 2]),
    "float16": ("half_val", [0, 0x3C00, 0x4000]),
    "bfloat16": ("half_val", [0, 0x3F80, 0x4000]),
    "float32": ("float_val", [0, 1, 2]),
    "float64": ("double_val", [0, 1, 2]),
    "complex64": ("scomplex_val", [0, 0, 1, 0, 2, 0]),
    "complex128": ("dcomplex_val", [0, 0, 1, 0, 2, 0]),
    "string": ("string_val", [b"0", b"1", b"2"]),
}


@pytest.mark.parametrize("dtype", FIELDS)
def test_every_dtype_is_returned_in_its_val_field(server, predict_request, dtype):
    field, values = FIELDS[dtype]
    request = predict_request("segmenter", "every_dtype", x=np.float32([0, 1, 2]), outputs=[dtype])
    tensor = server.prediction.Predict(request).outputs[dtype]
    assert tensor.dtype == tf.as_dtype(dtype).as_datatype_enum
    assert list(getattr(tensor, field)) == values
    assert {name.name for name, _ in tensor.ListFields()} == {"dtype", "tensor_shape", field}


def test_floats_strings_and_two_inputs(server, predict_request):
    reply = server.prediction.Predict(predict_request("segmenter", "floats", x=np.float32([[1, 2, 3]])))
    assert list(reply.outputs["y"].float_val) == [6, 6]
    reply = server.prediction.Predict(predict_request("segmenter", "strings", query=[b"a", b"\xff"]))
    assert list(reply.outputs["answer"].string_val) == [b"a!", b"\xff!"]
    reply = server.prediction.Predict(predict_request("segmenter", "add", a=np.float32([1, 2]), b=np.float32([10, 20])))
    assert list(reply.outputs["sum"].float_val) == [11, 22]


def test_tensor_without_a_shape_is_a_scalar(server, predict_request):
    request = predict_request("segmenter", "spin")
    request.inputs["turns"].CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=[5]))
    reply = server.prediction.Predict(request)
    assert list(reply.outputs["done"].int64_val) == [5]
    assert len(reply.outputs["done"].tensor_shape.dim) == 0


def test_only_requested_outputs(server, predict_request):
    reply = server.prediction.Predict(predict_request("segmenter", image=IMAGE, outputs=["confidence"]))
    assert list(reply.outputs) == ["confidence"]
    reply = server.prediction.Predict(predict_request("segmenter", image=IMAGE))
    assert sorted(reply.outputs) == ["confidence", "mask"]


@pytest.mark.parametrize("choice", [{}, {"version": 3}, {"label": "stable"}], ids=str)
def test_reply_names_model_and_version(server, predict_request, choice):
    spec = server.prediction.Predict(predict_request("segmenter", image=IMAGE, **choice)).model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("segmenter", "serving_default", 3)
    assert spec.version_label == ""
