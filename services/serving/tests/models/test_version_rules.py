"""TensorFlow Serving's rules for versions, one by one, checked on a running server over gRPC.

Two sentences do not apply to the embedded server: a warm-up record larger than batching's max_batch_size (there is
no batching), and NVIDIA's old apt sources (test_container.py).
"""

import itertools
import threading

import numpy as np
import pytest
from grpc import RpcError, StatusCode
from tensorflow_serving.apis import model_management_pb2

from segstack_testing.waiting import scaled

X = np.zeros(1, np.float32)
LATEST_TWO = {"latest": {"num_versions": 2}}


class Repository:
    """A models_repo and the server that serves it; models are added by a reload."""

    def __init__(self, root, server, publish_in, predict_request):
        self.root = root
        self.server = server
        self._publish_in = publish_in
        self._predict_request = predict_request
        self._models = {}
        self._numbers = itertools.count(1)

    def new_model(self, *versions):
        name = f"m{next(self._numbers)}"
        for version in versions:
            self.publish(name, version)
        return name

    def publish(self, name, version, warmup=None):
        return self._publish_in(self.root, name, version, warmup)

    def serve(self, name, policy=None, labels=None):
        """Have the server poll now, for this model and all others."""
        config = {"name": name, "base_path": f"/models/{name}", "model_platform": "tensorflow"}
        self._models[name] = config | {"model_version_policy": policy, "version_labels": labels}
        self.look()

    def look(self):
        request = model_management_pb2.ReloadConfigRequest()
        for config in self._models.values():
            request.config.model_config_list.config.add(**config)
        self.server.models.HandleReloadConfigRequest(request, timeout=scaled(60))

    def states(self, name):
        return {version: state for version, (state, _) in self.server.status(name).items()}

    def error(self, name, version):
        return self.server.status(name)[version][1].error_message

    def answer(self, name, **version):
        """The model's output: the number of its version."""
        reply = self.server.prediction.Predict(self._predict_request(name, x=X, **version), timeout=scaled(60))
        (value,) = reply.outputs["value"].float_val
        assert reply.model_spec.version.value == value
        return value


@pytest.fixture(scope="module")
def repository(start_module_server, publish_in, predict_request, tmp_path_factory):
    root = tmp_path_factory.mktemp("models_repo")
    (root / "models.config").write_text("model_config_list {}")
    server = start_module_server(
        f"--model_config_file={root / 'models.config'}",
        f"--models_root={root}",
        "--max_num_load_retries=2",
        "--load_retry_interval_micros=100000",
    ).connect()
    return Repository(root, server, publish_in, predict_request)


def test_child_folders_whose_names_parse_as_int64_are_versions_and_others_are_ignored(repository):
    name = repository.new_model(7)
    for ignored in (".tmp-8", "8-copy", "latest", "8.0", str(2**63)):
        (repository.root / name / ignored).mkdir()
    (repository.root / name / "7").rename(repository.root / name / "007")
    repository.serve(name, {"all": {}})
    assert repository.states(name) == {7: "AVAILABLE"}


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (None, {10}),
        (LATEST_TWO, {9, 10}),
        ({"all": {}}, {2, 9, 10}),
        ({"specific": {"versions": [2, 9, 11]}}, {2, 9}),
    ],
    ids=["by default the newest", "latest n", "all", "specific"],
)
def test_policies(repository, policy, served):
    name = repository.new_model(2, 9, 10)
    repository.serve(name, policy)
    assert repository.states(name) == dict.fromkeys(served, "AVAILABLE")
    assert repository.answer(name) == max(served)


def test_new_version_is_loaded_before_the_old_one_is_unloaded(repository, eventually):
    """So that not one request fails; and what was unloaded stays listed as END."""
    name = repository.new_model(1)
    repository.serve(name)
    answers, stop = [], threading.Event()

    def send_requests():
        while not stop.is_set():
            try:
                answers.append(repository.answer(name))
            except RpcError as error:
                answers.append(error)

    requests = threading.Thread(target=send_requests)
    requests.start()
    try:
        repository.publish(name, 2)
        eventually(lambda: repository.states(name) == {2: "AVAILABLE", 1: "END"}, timeout_s=60)
        known = len(answers)
        eventually(lambda: len(answers) > known + 1, timeout_s=60)
    finally:
        stop.set()
        requests.join()
    assert answers == sorted(answers)
    assert set(answers) == {1, 2}


def test_failed_version_ends_with_its_error_and_the_old_one_is_served(repository, eventually):
    name = repository.new_model(1)
    repository.serve(name)
    (repository.root / name / "2").mkdir()
    eventually(lambda: repository.states(name) == {2: "END", 1: "AVAILABLE"}, timeout_s=60)
    assert repository.error(name, 2).startswith("Could not find SavedModel .pb or .pbtxt at supplied export directory")
    assert repository.answer(name) == 1
    failures = f"{name} version 2 cannot be loaded"
    eventually(lambda: repository.server.output.count(failures) >= 3)  # read from its pipe by another thread
    assert repository.server.output.count(failures) == 3


def test_failed_version_is_not_retried_while_its_folder_exists(repository, eventually):
    name = repository.new_model(1)
    repository.serve(name)
    folder = repository.root / name / "2"
    folder.mkdir()
    eventually(lambda: repository.states(name) == {2: "END", 1: "AVAILABLE"}, timeout_s=60)
    repository.publish(name, 2 * 10)
    repository.serve(name, {"all": {}})  # looked again, and loaded what is new
    eventually(lambda: repository.states(name) == {20: "AVAILABLE", 2: "END", 1: "AVAILABLE"}, timeout_s=60)
    assert repository.server.output.count(f"{name} version 2 cannot be loaded") == 3
    folder.rmdir()
    repository.look()
    repository.publish(name, 2)
    eventually(lambda: repository.states(name)[2] == "AVAILABLE", timeout_s=60)


def test_missing_base_path_unloads_nothing(repository):
    name = repository.new_model(1)
    repository.serve(name)
    (repository.root / name).rename(repository.root / f".away-{name}")
    repository.look()
    repository.server.wait_for(f"Could not find base path .*/{name} for servable {name}")
    assert repository.states(name) == {1: "AVAILABLE"}
    assert repository.answer(name) == 1


def test_empty_base_path_unloads_everything(repository, eventually):
    name = repository.new_model(1)
    repository.serve(name)
    (repository.root / name / "1").rename(repository.root / f".away-{name}")
    eventually(lambda: repository.states(name) == {1: "END"}, timeout_s=60)
    with pytest.raises(RpcError, match=rf"Servable not found for request: Latest\({name}\)"):
        repository.answer(name)


def test_warmup_does_not_check_the_model_name(repository, predict_request):
    name = repository.new_model()
    repository.publish(name, 1, warmup=[predict_request("another", x=X)])
    repository.serve(name)
    assert repository.answer(name) == 1


def test_version_that_fails_its_warmup_is_not_served(repository, predict_request, eventually):
    name = repository.new_model(1)
    repository.serve(name)
    repository.publish(name, 2, warmup=[predict_request(name, z=X)])
    eventually(lambda: repository.states(name) == {2: "END", 1: "AVAILABLE"}, timeout_s=60)
    assert repository.error(name, 2).startswith("input tensor alias not found in signature: z.")


def test_label_selects_a_loaded_version_and_moves(repository):
    name = repository.new_model(1, 2)
    repository.serve(name, LATEST_TWO, {"stable": 1, "canary": 2})
    assert (repository.answer(name, label="stable"), repository.answer(name, label="canary")) == (1, 2)
    repository.serve(name, LATEST_TWO, {"stable": 2})
    assert repository.answer(name, label="stable") == 2
    with pytest.raises(RpcError, match="Unrecognized servable version label: canary"):
        repository.answer(name, label="canary")


def test_label_on_a_version_that_is_not_loaded_is_refused(repository):
    name = repository.new_model(1, 2)
    with pytest.raises(RpcError) as error:
        repository.serve(name, None, {"stable": 1})
    assert error.value.code() is StatusCode.FAILED_PRECONDITION
    assert error.value.details() == (
        f"Request to assign label to version 1 of model {name}, which is not currently available for inference"
    )
    repository.serve(name)


class TestWithTheFlagForUnavailableModels:
    def test_new_label_may_point_at_a_version_that_is_not_loaded(
        self, start_server, publish, write_config, predict_request, eventually
    ):
        publish("m", 1)
        config = write_config(m='version_labels { key: "next" value: 2 }')
        server = start_server(
            f"--model_config_file={config}",
            f"--models_root={config.parent}",
            "--allow_version_labels_for_unavailable_models=true",
        ).connect()
        request = predict_request("m", label="next", x=X)
        with pytest.raises(RpcError, match=r"Servable not found for request: Specific\(m, 2\)"):
            server.prediction.Predict(request)
        publish("m", 2)
        eventually(lambda: server.status("m").get(2, ("",))[0] == "AVAILABLE", timeout_s=60)
        assert server.prediction.Predict(request).model_spec.version.value == 2


class TestAtStart:
    def test_port_is_closed_until_there_is_a_version(self, start_server, publish, write_config):
        config = write_config(m="")
        server = start_server(f"--model_config_file={config}", f"--models_root={config.parent}")
        server.wait_for("m: waiting for a first <version>/saved_model.pb")
        assert "ready on" not in server.output
        publish("m", 1)
        assert server.connect().status("m")[1][0] == "AVAILABLE"

    def test_empty_config_opens_the_port(self, start_server, tmp_path):
        (tmp_path / "models.config").touch()
        server = start_server(f"--model_config_file={tmp_path / 'models.config'}").connect()
        with pytest.raises(RpcError, match="Could not find any versions of model m"):
            server.status("m")

    def test_missing_config_ends_the_server(self, start_server, tmp_path):
        server = start_server(f"--model_config_file={tmp_path / 'models.config'}")
        server.wait_for("Failed to start server. Error: cannot read --model_config_file=.*models.config: No such file")
        assert server.process.wait(scaled(20)) == 1


def test_model_listed_later_without_a_version_blocks_polling_of_the_config(
    start_server, publish, write_config, predict_request, eventually
):
    """And nothing else: models stay served, and new versions are found."""
    publish("m", 1)
    config = write_config(m="")
    server = start_server(
        f"--model_config_file={config}", f"--models_root={config.parent}", "--model_config_file_poll_wait_seconds=1"
    ).connect()
    write_config(m="", late="")
    server.wait_for("late: waiting for a first")
    write_config(m='version_labels { key: "stable" value: 2 }', late="")
    publish("m", 2)
    eventually(lambda: server.status("m").get(2, ("",))[0] == "AVAILABLE", timeout_s=60)
    threading.Event().wait(2.5)  # two polls' time, in which the label would have been read
    stable = predict_request("m", label="stable", x=X)
    with pytest.raises(RpcError, match="Unrecognized servable version label: stable"):
        server.prediction.Predict(stable)
    publish("late", 1)

    def answers():
        try:
            return server.prediction.Predict(stable).model_spec.version.value == 2
        except RpcError:
            return False

    eventually(answers, timeout_s=60)
