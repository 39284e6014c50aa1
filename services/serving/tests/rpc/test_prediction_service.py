"""PredictionService except Predict's outputs: metadata, deadlines, large messages, unimplemented methods."""

import time

import numpy as np
import pytest
from grpc import RpcError, StatusCode
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    regression_pb2,
)

from segstack_testing.waiting import scaled


def _metadata_request(name="segmenter", *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    return request


def test_metadata_is_every_signature(server):
    reply = server.prediction.GetModelMetadata(_metadata_request("segmenter", "signature_def"))
    assert (reply.model_spec.name, reply.model_spec.version.value) == ("segmenter", 3)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "floats", "strings", "add"} < set(signatures.signature_def)
    image = signatures.signature_def["serving_default"].inputs["image"]
    assert [dim.size for dim in image.tensor_shape.dim] == [-1, -1, -1, 3]


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (get_model_metadata_pb2.GetModelMetadataRequest(), StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            _metadata_request("segmenter"),
            StatusCode.INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            _metadata_request("segmenter", "signature_def", "size"),
            StatusCode.INVALID_ARGUMENT,
            "Metadata field size is not supported",
        ),
        (
            _metadata_request("nobody", "signature_def"),
            StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(nobody)",
        ),
    ],
    ids=["no spec", "no field", "other field", "unknown model"],
)
def test_metadata_errors(server, request_, code, text):
    with pytest.raises(RpcError) as error:
        server.prediction.GetModelMetadata(request_)
    assert (error.value.code(), error.value.details()) == (code, text)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Classify", classification_pb2.ClassificationRequest()),
        ("Regress", regression_pb2.RegressionRequest()),
        ("MultiInference", inference_pb2.MultiInferenceRequest()),
    ],
)
def test_calls_on_examples_are_unimplemented(server, method, request_):
    with pytest.raises(RpcError) as error:
        getattr(server.prediction, method)(request_)
    assert error.value.code() is StatusCode.UNIMPLEMENTED


def test_messages_above_grpcs_default_limit(server, predict_request):
    image = np.full((1, 1200, 1400, 3), 200, np.uint8)  # 5 MB in; 1.7 M values of two bytes in the reply's confidence
    reply = server.prediction.Predict(predict_request("segmenter", image=image))
    assert len(reply.outputs["confidence"].int_val) == 1200 * 1400


def test_the_clients_deadline_ends_the_run(start_server, segmenter, link_version, predict_request):
    root = link_version(segmenter, "segmenter", 1)
    # One thread: the second call is answered only once the first has left it.
    server = start_server(
        "--grpc_max_threads=1", "--model_name=segmenter", f"--model_base_path={root / 'segmenter'}"
    ).connect()
    request = predict_request("segmenter", "spin", turns=np.int64(10**9))
    with pytest.raises(RpcError) as error:
        server.prediction.Predict(request, timeout=0.3)
    assert error.value.code() is StatusCode.DEADLINE_EXCEEDED
    started = time.monotonic()
    server.prediction.Predict(predict_request("segmenter", "spin", turns=np.int64(3)), timeout=scaled(10))
    assert time.monotonic() - started < 3
