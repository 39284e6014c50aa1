"""The gRPC server: port and unix socket, channel arguments, no TLS."""

import tempfile
from pathlib import Path

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from segstack_testing.waiting import scaled

X = np.zeros(1, np.float32)


@pytest.fixture
def socket_path():
    """A path that fits into the 107 bytes of a unix socket's address."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "serving.sock"


def test_unix_socket_and_channel_arguments(start_server, publish, predict_request, socket_path):
    folder = publish("m", 1).parent
    server = start_server(
        "--model_name=m",
        f"--model_base_path={folder}",
        f"--grpc_socket_path={socket_path}",
        "--grpc_channel_arguments=grpc.max_receive_message_length=2000,grpc.primary_user_agent=segstack",
    ).connect()
    request = predict_request("m", x=X)
    assert server.prediction.Predict(request).model_spec.version.value == 1
    with grpc.insecure_channel(f"unix:{socket_path}") as channel:
        reply = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=scaled(20))
    assert reply.model_spec.version.value == 1

    with pytest.raises(grpc.RpcError) as error:
        server.prediction.Predict(predict_request("m", x=np.zeros(1000, np.float32)))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    assert server.stop() == 0
    assert not socket_path.exists()


def test_socket_that_cannot_be_created_ends_the_server(start_server, tmp_path):
    (tmp_path / "models.config").touch()
    path = tmp_path / "no such folder" / "serving.sock"
    server = start_server(f"--model_config_file={tmp_path / 'models.config'}", f"--grpc_socket_path={path}")
    server.wait_for(f"Failed to start server. Error: cannot listen on the unix socket {path}: its folder must exist")
    assert server.process.wait(scaled(10)) == 1


def test_tls_is_refused_rather_than_served_unencrypted(start_server):
    server = start_server("--model_base_path=/models/m", "--ssl_config_file=ssl.config")
    server.wait_for("--ssl_config_file=ssl.config: TLS is not supported")
    assert server.process.wait(scaled(10)) == 1
