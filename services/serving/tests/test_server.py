"""The process from its command line to its end: what it prints, when the port opens, what it follows, how it stops."""

import signal
import threading

import numpy as np
import pytest
from grpc import RpcError, StatusCode

from segstack_testing.waiting import scaled

X = np.zeros(1, np.float32)


def test_from_nothing_to_a_second_version_and_down_again(
    start_server, publish, write_config, tmp_path, predict_request, eventually
):
    """A whole life: waiting for a first version, a new one, a new model in models.config, a broken config, SIGTERM."""
    root = tmp_path / "models_repo"
    config = write_config(m="")
    server = start_server(
        f"--model_config_file={config}",
        f"--models_root={root}",
        "--model_config_file_poll_wait_seconds=1",
        "--max_num_load_retries=0",
        "--bogus=1",
    )
    server.wait_for("Not TensorFlow Serving: the same gRPC protocol on TensorFlow ")
    server.wait_for("Could not find base path .*/models_repo/m for servable m: waiting")
    assert "unknown argument: --bogus=1\nusage: segstack serve" in server.output
    assert "ready" not in server.output

    publish("m", 1)
    server.connect()
    assert "oneDNN" not in server.output
    assert "deprecated and will be removed" not in server.output
    assert server.prediction.Predict(predict_request("m", x=X)).model_spec.version.value == 1

    publish("m", 2)
    eventually(lambda: server.status("m")[1][0] == "END")
    assert server.status("m")[2][0] == "AVAILABLE"
    assert list(server.status("m")) == [2, 1]
    assert server.prediction.Predict(predict_request("m", x=X)).outputs["value"].float_val[0] == 2

    (root / "m" / "3").mkdir()
    eventually(lambda: server.status("m").get(3, ("",))[0] == "END")
    assert server.status("m")[3][1].error_code == StatusCode.NOT_FOUND.value[0]
    assert server.status("m")[3][1].error_message.startswith("Could not find SavedModel")
    assert server.prediction.Predict(predict_request("m", x=X)).model_spec.version.value == 2

    publish("n", 1)
    write_config(m="", n='version_labels { key: "stable" value: 1 }')
    server.wait_for("n version 1 loaded")
    eventually(lambda: _served(server, predict_request("n", label="stable", x=X)))

    config.write_text("model_config_list { nonsense }")
    server.wait_for("models.config: Error parsing text-format tensorflow.serving.ModelServerConfig: 1:")
    assert _served(server, predict_request("n", label="stable", x=X))
    assert server.stop(signal.SIGTERM) == 0


def _served(server, request):
    try:
        return server.prediction.Predict(request).model_spec.version.value
    except RpcError:
        return None


def test_sigterm_lets_running_calls_finish(start_server, segmenter, link_version, predict_request):
    root = link_version(segmenter, "m", 1)
    server = start_server("--model_name=m", f"--model_base_path={root / 'm'}", "--file_system_poll_wait_seconds=0")
    server.connect()
    # Connected, and the signature run once: the next call is sent at once and is only as long as its turns.
    server.prediction.Predict(predict_request("m", "spin", turns=np.int64(1)), timeout=scaled(20))
    turns = 20_000
    while (call := server.prediction.Predict.future(predict_request("m", "spin", turns=np.int64(turns)))) and call:
        threading.Event().wait(0.5)
        if not call.done():
            break
        turns *= 4
    server.process.send_signal(signal.SIGTERM)
    assert call.result(timeout=scaled(15)).outputs["done"].int64_val[0] == turns
    assert server.stop() == 0


def test_empty_config_opens_the_port_and_sigint_ends_with_status_0(start_server, tmp_path):
    empty = tmp_path / "models.config"
    empty.touch()
    server = start_server("--model_config_file", str(empty)).connect()
    with pytest.raises(RpcError) as error:
        server.status("m")
    assert (error.value.code(), error.value.details()) == (
        StatusCode.NOT_FOUND,
        "Could not find any versions of model m",
    )
    second = start_server("--model_config_file", str(empty), f"--port={server.port}")
    second.wait_for(f"Failed to start server. Error: cannot listen on 127.0.0.1:{server.port}: in use")
    assert second.process.wait(scaled(10)) == 1
    assert server.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("model_config_list {", "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:"),
        ('model_config_list { config { nme: "m" } }', "Error parsing text-format tensorflow.serving.ModelServerConfig"),
    ],
    ids=["cut short", "unknown field"],
)
def test_unreadable_config_ends_the_server(start_server, tmp_path, config, message):
    path = tmp_path / "models.config"
    path.write_text(config)
    server = start_server(f"--model_config_file={path}")
    server.wait_for(message)
    assert server.process.wait(scaled(10)) == 1


def test_wait_for_config(start_server, publish, write_config, tmp_path):
    publish("m", 1)
    root = tmp_path / "models_repo"
    server = start_server(f"--model_config_file={root / 'models.config'}", f"--models_root={root}", "--wait_for_config")
    server.wait_for("waiting for .*/models_repo/models.config: publish a first model")
    write_config(m="")
    assert server.connect().status("m")[1][0] == "AVAILABLE"
    assert server.output.count("waiting for") == 1


def test_sigterm_while_waiting_for_a_config(start_server, tmp_path):
    server = start_server(f"--model_config_file={tmp_path / 'models.config'}", "--wait_for_config")
    server.wait_for("waiting for ")
    assert server.stop() == 0


def test_first_model_that_does_not_load_ends_the_server(start_server, tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)
    server = start_server("--model_name=m", f"--model_base_path={tmp_path / 'm'}", "--max_num_load_retries=0")
    server.wait_for("Failed to start server. Error: Unknown: 1 servable.s. did not become available: ")
    assert server.process.wait(scaled(10)) == 1


def test_sigterm_while_waiting_for_a_first_version(start_server, tmp_path):
    server = start_server("--model_name=m", f"--model_base_path={tmp_path / 'm'}")
    server.wait_for("waiting for a first")
    assert server.stop(signal.SIGTERM) == 0


def test_without_a_model_the_flags_are_printed(start_server):
    server = start_server()
    server.wait_for("segstack serve: neither --model_config_file nor --model_base_path is given")
    server.wait_for("--model_config_file_poll_wait_seconds=0")
    assert server.process.wait(scaled(10)) == 1
