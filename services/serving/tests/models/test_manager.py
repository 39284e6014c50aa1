"""What is served while the configuration and the folders change: the rules of versions, with real SavedModels."""

import shutil
import threading

import numpy as np
import pytest
from grpc import StatusCode
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.errors import ServingError
from serving.models import model_config, warmup
from serving.models.manager import Manager, Options
from serving.models.predict import predict
from serving.models.servable import Servable
from serving.models.versions import Retries, State

X = np.zeros(1, np.float32)
NO_RETRIES = Retries(0, 0.0)


def load(path):
    servable = Servable(path)
    warmup.run(servable, path)
    return servable


@pytest.fixture
def root(tmp_path):
    return tmp_path / "models_repo"


@pytest.fixture
def make_manager(root):
    managers = []

    def make(load=load, retries=NO_RETRIES, **options):
        def local_path(base_path):
            return root / base_path.removeprefix("/models/")

        managers.append(Manager(Options(load, local_path, retries, poll_wait_s=0.02, **options)))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


def config(**models):
    """models.config for the models named, with an optional extra per model."""
    return model_config.parse(
        "model_config_list {"
        + "".join(
            f'config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" {extra} }}'
            for name, extra in models.items()
        )
        + "}"
    )


def states(manager, name):
    return {version: state.name for version, state, _ in manager.snapshot(name)}


def value(reply):
    return predict_pb2.PredictResponse.FromString(reply.serialize()).outputs["value"].float_val[0]


def answer(manager, build, name, **version):
    """The model's output: the number of the version."""
    request = build(name, x=X, **version)
    with manager.use(request.model_spec) as (_, servable):
        return value(predict(servable, request))


def test_new_version_replaces_the_old_one(make_manager, publish, predict_request, eventually):
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    assert answer(manager, predict_request, "m") == 1
    publish("m", 2)
    eventually(lambda: states(manager, "m") == {2: "AVAILABLE", 1: "END"})
    assert answer(manager, predict_request, "m") == 2


def test_new_version_is_loaded_before_the_old_one_is_unloaded(make_manager, publish, eventually):
    publish("m", 1)
    seen = []

    def watching_load(path):
        seen.append(dict(states(manager, "m")))
        return load(path)

    manager = make_manager(load=watching_load)
    manager.reload(config(m=""))
    publish("m", 2)
    eventually(lambda: states(manager, "m") == {2: "AVAILABLE", 1: "END"})
    assert seen == [{1: "LOADING"}, {2: "LOADING", 1: "AVAILABLE"}]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {5}),
        ("model_version_policy { latest { num_versions: 2 } }", {4, 5}),
        ("model_version_policy { all {} }", {1, 4, 5}),
        ("model_version_policy { specific { versions: 1 versions: 4 versions: 9 } }", {1, 4}),
    ],
    ids=["default", "latest", "all", "specific"],
)
def test_policies(make_manager, publish, policy, served):
    for version in (1, 4, 5):
        publish("m", version)
    manager = make_manager()
    manager.reload(config(m=policy))
    assert states(manager, "m") == dict.fromkeys(served, "AVAILABLE")


def test_old_version_is_served_while_the_new_one_fails(make_manager, publish, root, predict_request, eventually):
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    (root / "m" / "2").mkdir()
    eventually(lambda: states(manager, "m") == {2: "END", 1: "AVAILABLE"})
    assert answer(manager, predict_request, "m") == 1
    ((_, _, error), _) = manager.snapshot("m")
    assert error.code is StatusCode.NOT_FOUND
    assert error.message.startswith("Could not find SavedModel .pb or .pbtxt at supplied export directory path: ")


def test_failed_version_is_retried_then_not_while_its_folder_exists(make_manager, publish, root, eventually):
    publish("m", 1)
    tries = []

    def counting_load(path):
        tries.append(path.name)
        return load(path)

    manager = make_manager(load=counting_load, retries=Retries(2, 0.05))
    manager.reload(config(m=""))
    (root / "m" / "2").mkdir()
    eventually(lambda: states(manager, "m") == {2: "END", 1: "AVAILABLE"})
    polls = threading.Event()
    polls.wait(0.3)
    assert tries == ["1", "2", "2", "2"]

    (root / "m" / "2").rmdir()
    manager.poll()  # sees that it is gone
    assert states(manager, "m") == {2: "END", 1: "AVAILABLE"}
    publish("m", 2)
    eventually(lambda: states(manager, "m") == {2: "AVAILABLE", 1: "END"})


def test_retries_block_neither_other_models_nor_newer_versions(make_manager, publish, root, eventually):
    publish("bad", 1)
    manager = make_manager(retries=Retries(5, 60.0))
    manager.reload(config(bad=""))
    (root / "bad" / "2").mkdir()
    eventually(lambda: states(manager, "bad").get(2) == "LOADING")
    publish("good", 1)
    manager.reload(config(bad="", good=""))
    assert states(manager, "good") == {1: "AVAILABLE"}
    assert states(manager, "bad") == {2: "LOADING", 1: "AVAILABLE"}
    publish("bad", 3)
    eventually(lambda: states(manager, "bad") == {3: "AVAILABLE", 2: "END", 1: "END"})


@pytest.mark.parametrize("with_warmup", [False, True], ids=["bare", "with warmup"])
def test_partially_copied_version_is_not_served(make_manager, publish, root, predict_request, eventually, with_warmup):
    """Without warmup TensorFlow Serving loads one and then fails every request; here it is refused either way."""
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    half = publish("elsewhere", 2, warmup=[predict_request("m", x=X)] if with_warmup else None)
    shutil.rmtree(half / "variables")
    half.rename(root / "m" / "2")
    eventually(lambda: states(manager, "m") == {2: "END", 1: "AVAILABLE"})


def test_version_that_fails_its_warmup_is_not_served(make_manager, publish, predict_request, eventually):
    publish("m", 1, warmup=[predict_request("another name", x=X)])
    manager = make_manager()
    manager.reload(config(m=""))
    publish("m", 2, warmup=[predict_request("m", x=X), predict_request("m", z=X)])
    eventually(lambda: states(manager, "m") == {2: "END", 1: "AVAILABLE"})
    ((_, _, error), _) = manager.snapshot("m")
    assert error.code is StatusCode.INVALID_ARGUMENT
    assert error.message.startswith("input tensor alias not found in signature: z.")


def test_missing_base_path_unloads_nothing_an_empty_one_everything(make_manager, publish, root, eventually):
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    (root / "m").rename(root / "away")
    manager.poll()
    assert states(manager, "m") == {1: "AVAILABLE"}
    (root / "m").mkdir()
    eventually(lambda: states(manager, "m") == {1: "END"})
    (root / "m").rmdir()
    (root / "away").rename(root / "m")
    eventually(lambda: states(manager, "m") == {1: "AVAILABLE"})


def test_unloading_waits_for_running_calls(make_manager, publish, predict_request, eventually):
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    request = predict_request("m", x=X)
    with manager.use(request.model_spec) as (_, servable):
        publish("m", 2)
        eventually(lambda: states(manager, "m") == {2: "AVAILABLE", 1: "UNLOADING"})
        assert value(predict(servable, request)) == 1
        with pytest.raises(ServingError, match="Servable not found"):
            answer(manager, predict_request, "m", version=1)
    eventually(lambda: states(manager, "m") == {2: "AVAILABLE", 1: "END"})


def test_no_request_fails_while_versions_change(make_manager, publish, predict_request, eventually):
    publish("m", 1)
    manager = make_manager()
    manager.reload(config(m=""))
    answers, errors, stop = set(), [], threading.Event()

    def send_requests():
        while not stop.is_set():
            try:
                answers.add(answer(manager, predict_request, "m"))
            except Exception as error:
                errors.append(error)

    requests = threading.Thread(target=send_requests)
    requests.start()
    try:
        for version in (2, 3, 4):
            publish("m", version)
            eventually(lambda version=version: version in answers or errors)
    finally:
        stop.set()
        requests.join()
    assert not errors
    assert answers == {1, 2, 3, 4}


def test_reload_replaces_the_whole_list(make_manager, publish, eventually):
    publish("a", 1)
    publish("b", 1)
    manager = make_manager()
    manager.reload(config(a=""))
    manager.reload(config(b=""))
    assert states(manager, "b") == {1: "AVAILABLE"}
    eventually(lambda: states(manager, "a") == {1: "END"})
    manager.reload(config(a="", b=""))
    assert states(manager, "a") == {1: "AVAILABLE"}


def test_model_that_does_not_load_is_named_with_its_error(make_manager, root):
    (root / "m" / "3").mkdir(parents=True)
    manager = make_manager()
    with pytest.raises(ServingError) as error:
        manager.reload(config(m=""))
    assert error.value.code is StatusCode.UNKNOWN
    assert error.value.message.startswith(
        "1 servable(s) did not become available: {{{name: m version: 3} due to error: Not found: Could not find"
    )


def test_model_without_a_version_is_waited_for_until_cancelled(make_manager, root):
    (root / "m").mkdir(parents=True)
    manager = make_manager()
    given_up = threading.Event()
    threading.Timer(0.3, given_up.set).start()
    with pytest.raises(ServingError) as error:
        manager.reload(config(m=""), cancelled=given_up.is_set)
    assert error.value.code is StatusCode.CANCELLED


def test_config_without_a_list_is_accepted_only_at_first(make_manager, publish):
    manager = make_manager()
    manager.reload(model_config.parse(""))
    publish("m", 1)
    manager.reload(config(m=""))
    with pytest.raises(ServingError, match="Cannot transition to requested config"):
        manager.reload(model_config.parse(""))
    assert states(manager, "m") == {1: "AVAILABLE"}


class TestLabels:
    LATEST_TWO = "model_version_policy { latest { num_versions: 2 } }"

    @staticmethod
    def label(**labels):
        return "".join(f'version_labels {{ key: "{key}" value: {value} }}' for key, value in labels.items())

    def test_label_selects_its_version_and_moves(self, make_manager, publish, predict_request):
        for version in (1, 2):
            publish("m", version)
        manager = make_manager()
        manager.reload(config(m=self.LATEST_TWO + self.label(stable=1, canary=2)))
        assert answer(manager, predict_request, "m", label="stable") == 1
        assert answer(manager, predict_request, "m", label="canary") == 2
        manager.reload(config(m=self.LATEST_TWO + self.label(stable=2)))
        assert answer(manager, predict_request, "m", label="stable") == 2
        with pytest.raises(ServingError, match="Unrecognized servable version label: canary"):
            answer(manager, predict_request, "m", label="canary")

    def test_label_on_a_version_that_is_not_served_is_refused_and_others_stay(
        self, make_manager, publish, predict_request
    ):
        publish("m", 1)
        manager = make_manager()
        manager.reload(config(m=self.label(stable=1)))
        with pytest.raises(ServingError) as error:
            manager.reload(config(m=self.label(stable=7)))
        assert error.value.code is StatusCode.FAILED_PRECONDITION
        assert error.value.message == (
            "Request to assign label to version 7 of model m, which is not currently available for inference"
        )
        assert answer(manager, predict_request, "m", label="stable") == 1

    def test_labels_on_unavailable_versions_may_be_set_but_not_moved(self, make_manager, publish, predict_request):
        publish("m", 1)
        manager = make_manager(labels_may_run_ahead=True)
        manager.reload(config(m=self.label(stable=1, next=2)))
        with pytest.raises(ServingError, match=r"not found for request: Specific\(m, 2\)"):
            answer(manager, predict_request, "m", label="next")
        with pytest.raises(ServingError, match="which is not currently available"):
            manager.reload(config(m=self.label(stable=2)))
        assert answer(manager, predict_request, "m", label="stable") == 1


def test_model_spec_without_a_name(make_manager):
    with (
        pytest.raises(ServingError, match=r"ModelSpec has no name specified\."),
        make_manager().use(model_pb2.ModelSpec()),
    ):
        pass


def test_states_are_those_of_the_protocol():
    from tensorflow_serving.apis import get_model_status_pb2

    assert {state.name: state.value for state in State} == {
        name: value for name, value in get_model_status_pb2.ModelVersionStatus.State.items() if name != "UNKNOWN"
    }
