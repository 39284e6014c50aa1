"""ModelService: the models and their states, and changing the list of models over gRPC."""

import os

import numpy as np
import pytest
from grpc import RpcError, StatusCode
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from segstack_testing.waiting import scaled

X = np.zeros(1, np.float32)


def _status_request(name="segmenter", version=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


@pytest.mark.parametrize("version", [None, 3])
def test_status(server, version):
    (status,) = server.models.GetModelStatus(_status_request(version=version)).model_version_status
    assert (status.version, status.state) == (3, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (get_model_status_pb2.GetModelStatusRequest(), StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
        (_status_request("nobody"), StatusCode.NOT_FOUND, "Could not find any versions of model nobody"),
        (_status_request(version=7), StatusCode.NOT_FOUND, "Could not find version 7 of model segmenter"),
    ],
    ids=["no spec", "unknown model", "unknown version"],
)
def test_status_errors(server, request_, code, text):
    with pytest.raises(RpcError) as error:
        server.models.GetModelStatus(request_)
    assert (error.value.code(), error.value.details()) == (code, text)


def test_reload_over_grpc(server, predict_request, tmp_path, publish):
    base_path = os.fspath(publish("extra", 1).parent)
    before = model_management_pb2.ReloadConfigRequest()
    before.config.model_config_list.config.add(
        name="segmenter", base_path="/models/segmenter", model_platform="tensorflow", version_labels={"stable": 3}
    )
    request = model_management_pb2.ReloadConfigRequest()
    request.CopyFrom(before)
    request.config.model_config_list.config.add(name="extra", base_path=base_path, model_platform="tensorflow")
    try:
        reply = server.models.HandleReloadConfigRequest(request, timeout=scaled(20))
        assert reply.status.error_code == 0
        assert server.prediction.Predict(predict_request("extra", x=X)).model_spec.version.value == 1
    finally:
        server.models.HandleReloadConfigRequest(before, timeout=scaled(20))


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            None,
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported",
        ),
        (["m", "m"], "Illegal to list model m multiple times in config list"),
    ],
    ids=["no list", "duplicate"],
)
def test_reload_errors(server, names, text):
    request = model_management_pb2.ReloadConfigRequest()
    for name in names or []:
        request.config.model_config_list.config.add(name=name, base_path="/m", model_platform="tensorflow")
    with pytest.raises(RpcError) as error:
        server.models.HandleReloadConfigRequest(request, timeout=scaled(20))
    assert (error.value.code(), error.value.details()) == (StatusCode.INVALID_ARGUMENT, text)
