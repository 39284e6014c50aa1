"""The REST port of a running server: model status, metrics, and where predictions are."""

import http.client
import json
import socket

import numpy as np
import pytest
from grpc import RpcError
from prometheus_client.parser import text_string_to_metric_families

from segstack_testing.raw_http import held_port
from segstack_testing.waiting import scaled

X = np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def rest(start_module_server, publish_in, tmp_path_factory):
    """A server with a REST port: "m" with versions 1 and 2, of which 2 is damaged and 1 is labelled stable."""
    root = tmp_path_factory.mktemp("rest")
    publish_in(root, "m", 1)
    (root / "m" / "2").mkdir()
    (root / "models.config").write_text(
        'model_config_list { config { name: "m" base_path: "/models/m" model_platform: "tensorflow"'
        ' model_version_policy { all {} } version_labels { key: "stable" value: 1 } } }'
    )
    (root / "monitoring.config").write_text('prometheus_config { enable: true path: "/metrics" }')
    port = held_port()
    server = start_module_server(
        f"--model_config_file={root / 'models.config'}",
        f"--models_root={root}",
        f"--monitoring_config_file={root / 'monitoring.config'}",
        f"--rest_api_port={port}",
        "--max_num_load_retries=0",
    ).connect()
    server.wait_for(f"REST on 127.0.0.1:{port}: model status, metrics at /metrics")
    server.rest_port = port
    return server


def call(server, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=scaled(20))
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.getheader("Content-Type"), reply.read().decode()
    finally:
        connection.close()


def status(server, path):
    code, content_type, body = call(server, path)
    assert (code, content_type) == (200, "application/json")
    return json.loads(body)


def error(reply):
    code, content_type, body = reply
    assert content_type == "application/json"
    (message,) = json.loads(body).values()
    assert list(json.loads(body)) == ["error"]
    return code, message


AVAILABLE = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


def test_status_of_a_version(rest):
    assert status(rest, "/v1/models/m/versions/1") == {"model_version_status": [AVAILABLE]}


@pytest.mark.parametrize("path", ["/v1/models/m", "/V1/Models/m", "/v1/models/%6d?x=1", "/v1/models/m/labels/stable"])
def test_status_lists_every_version_the_highest_first(rest, path):
    """A label is ignored, as in TensorFlow Serving."""
    damaged, available = status(rest, path)["model_version_status"]
    assert available == AVAILABLE
    assert (damaged["version"], damaged["state"], damaged["status"]["error_code"]) == ("2", "END", "NOT_FOUND")
    assert damaged["status"]["error_message"].startswith("Could not find SavedModel")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("/v1/models/m/versions/7", 404, "Could not find version 7 of model m"),
        ("/v1/models", 400, "Missing model name in request."),
        (f"/v1/models/m/versions/{2**63}", 400, f"Failed to convert version: {2**63} to numeric."),
        ("/v1/models/m/versions/one", 400, "Malformed request: GET /v1/models/m/versions/one"),
        ("/v1/models/m:predict", 400, "Malformed request: GET /v1/models/m:predict"),
        ("/v1/models/m/metadata", 501, "Metadata is not served here: use GetModelMetadata over gRPC"),
        (
            "/elsewhere",
            404,
            "There is no /elsewhere here: only /v1/models/NAME and /metrics. Predictions are served over gRPC",
        ),
    ],
)
def test_get_errors(rest, path, code, message):
    assert error(call(rest, path)) == (code, message)


@pytest.mark.parametrize("path", ["m:predict", "m/versions/1:predict", "m/labels/stable:classify", "m:regress"])
def test_predictions_are_on_grpc(rest, path):
    code, message = error(call(rest, f"/v1/models/{path}", "POST", b"x" * 5_000_000))
    assert (code, message) == (501, "Predictions are not served here: use Predict over gRPC")


def test_post_to_anything_else_is_malformed(rest):
    assert error(call(rest, "/v1/models/m", "POST", b"{}")) == (400, "Malformed request: POST /v1/models/m")


def samples(server):
    code, content_type, body = call(server, "/metrics")
    assert (code, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    # The parser writes _total behind every counter.
    return {
        (sample.name.removesuffix("_total"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def test_requests_are_counted_and_timed_by_tensorflow_servings_names(rest, predict_request):
    def count(name, **labels):
        return samples(rest).get((f":tensorflow:serving:{name}", *sorted(labels.items())), 0)

    timed = {"model_name": "m", "API": "Predict", "entrypoint": "GRPC"}
    answered, latencies = count("request_count", model_name="m", status="OK"), count("request_latency_count", **timed)
    rest.prediction.Predict(predict_request("m", x=X))
    with pytest.raises(RpcError):
        rest.prediction.Predict(predict_request("m", z=X))
    with pytest.raises(RpcError):
        rest.prediction.Predict(predict_request("nobody", x=X))
    assert count("request_count", model_name="m", status="OK") == answered + 1
    assert count("request_count", model_name="m", status="INVALID_ARGUMENT") == 1
    assert count("request_latency_count", **timed) == latencies + 1
    assert count("request_latency_bucket", **timed, le="+Inf") == latencies + 1
    # A name that a client made up is not kept.
    assert count("request_count", model_name="nobody", status="NOT_FOUND") == 0
    assert count("request_count", model_name="", status="NOT_FOUND") == 1


def test_loads_versions_and_memory_are_measured(rest):
    found = samples(rest)
    paths = {
        value: dict(key[1:])["model_path"] for key, value in found.items() if key[0].endswith("load_attempt_count")
    }
    assert paths[1].endswith(("/m/1", "/m/2"))
    outcomes = sorted(dict(key[1:])["status"] for key in found if key[0].endswith("load_attempt_count"))
    assert outcomes == ["fail", "success"]
    (load_latency,) = (value for key, value in found.items() if key[0] == ":tensorflow:cc:saved_model:load_latency")
    assert load_latency > 1000
    assert found[":segstack:serving:model_versions", ("model_name", "m"), ("state", "AVAILABLE")] == 1
    assert found[":segstack:serving:model_versions", ("model_name", "m"), ("state", "END")] == 1
    assert found["process_resident_memory_bytes",] > 50e6


def test_metrics_without_a_rest_port_are_reported_to_have_no_effect(start_server, tmp_path):
    server = start_server("--model_config_file=nowhere", "--monitoring_config_file=also-nowhere")
    server.wait_for("--monitoring_config_file has no effect without --rest_api_port")
    server.wait_for("cannot read --model_config_file=nowhere")


def test_rest_port_in_use_ends_the_server(start_server, tmp_path):
    (tmp_path / "models.config").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start_server(f"--model_config_file={tmp_path / 'models.config'}", f"--rest_api_port={port}")
        server.wait_for(f"Failed to start server. Error: cannot listen on 127.0.0.1:{port}: Address already in use")
        assert server.process.wait(scaled(10)) == 1


def test_stops_within_its_grace_period_despite_a_slow_client(start_server, tmp_path):
    (tmp_path / "models.config").touch()
    port = held_port()
    server = start_server(f"--model_config_file={tmp_path / 'models.config'}", f"--rest_api_port={port}").connect()
    with socket.create_connection(("127.0.0.1", port)) as dawdling:
        dawdling.sendall(b"GET /v1/models/m HTTP/1.1\r\n")
        assert server.stop() == 0
