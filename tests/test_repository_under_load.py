"""The repository changes under load: no request fails, and the old version answers until the new one does."""

import itertools
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from contract import ClassInfo, ModelCard, publish, versions
from contract.serving_config.models_config import models
from segstack_testing.waiting import scaled, wait_until
from trainer.export.check import check_saved_model
from trainer.frozen import graph

pytestmark = pytest.mark.gateway

PATIENCE_S = scaled(45)
READY = re.compile(r"ready on (\S+:\d+)")
HEIGHT, WIDTH = 32, 48
CLASSES = 2


def wait_for(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, 45, what, poll_s=0.02)


class Repository:
    """A repository whose versions each predict one class everywhere, so that a mask shows which version answered."""

    def __init__(self, root: Path, exports: dict[tuple[str, int], Path], cards: dict[str, ModelCard]) -> None:
        self.root = root
        self.config = root / "models.config"
        self.exports = exports
        self.cards = cards
        self.answers: dict[tuple[str, int], int] = {}

    def publish(self, name: str) -> int:
        """Publish the next version, which predicts another class than the previous one."""
        version = max(versions(self.root, name), default=0) + 1
        answer = self.answers[name, version] = version % CLASSES
        published = publish(
            self.root,
            self.cards[name],
            write=lambda folder: shutil.copytree(self.exports[name, answer], folder, dirs_exist_ok=True),
            check=lambda folder: check_saved_model(str(folder), self.cards[name]),
        )
        assert published == version
        return version

    def rollback(self, name: str, to: int) -> int:
        version = max(versions(self.root, name)) + 1
        self.answers[name, version] = self.answers[name, to]
        assert f"published again as version {version}" in self.command(f"rollback {name} --to {to}").stdout
        return version

    def command(self, words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``python -m contract`` in a process."""
        run = [sys.executable, "-m", "contract", *words.split(), "--models-root", str(self.root)]
        result = subprocess.run(run, capture_output=True, text=True, check=False)
        assert result.returncode == status, result.stderr
        return result


class Client(threading.Thread):
    """Requests masks in a loop until stopped; by label if it has one."""

    def __init__(self, stub: prediction_service_pb2_grpc.PredictionServiceStub, name: str, label: str | None) -> None:
        super().__init__(daemon=True)
        self.stub = stub
        self.request = predict_pb2.PredictRequest()
        self.request.model_spec.name = name
        if label:
            self.request.model_spec.version_label = label
        image = np.random.default_rng(7).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
        self.request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
        self.label = label
        self.answers: list[tuple[int, frozenset[int]]] = []
        self.failures: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.01):
            try:
                reply = self.stub.Predict(self.request, timeout=30)
            except grpc.RpcError as error:
                self.failures.append(f"{error.code()}: {error.details()}")
                continue
            mask = frozenset(reply.outputs["mask"].int_val)
            self.answers.append((reply.model_spec.version.value, mask))

    @property
    def version(self) -> int:
        """The version of the last reply; 0 before the first."""
        return self.answers[-1][0] if self.answers else 0

    @property
    def versions(self) -> list[int]:
        """The versions that have answered, in order."""
        return [version for version, _ in itertools.groupby(version for version, _ in self.answers)]


class Load:
    """Clients of one model, with and without a label."""

    def __init__(self, clients: list[Client]) -> None:
        self.clients = clients
        self.unlabelled = [client for client in clients if client.label is None]
        self.labelled = [client for client in clients if client.label is not None]

    def wait_for(self, version: int) -> None:
        wait_for(lambda: all(client.version == version for client in self.unlabelled), f"version {version} for all")

    def wait_for_label(self, version: int) -> None:
        wait_for(lambda: all(client.version == version for client in self.labelled), f"version {version} by label")

    def wait_for_more(self, count: int = 20) -> None:
        """Wait until every client has ``count`` more replies."""
        before = [len(client.answers) for client in self.clients]
        wait_for(
            lambda: all(len(c.answers) >= b + count for c, b in zip(self.clients, before, strict=True)), "more answers"
        )


class Service:
    """The repository, and the embedded server with the container's flags."""

    def __init__(self, repository: Repository, process: subprocess.Popen[str]) -> None:
        self.repository = repository
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(process.stdout))
        self.reader.start()
        self.channel: grpc.Channel | None = None

    def connect(self) -> None:
        wait_for(lambda: READY.search(self.output) or self.process.poll() is not None, "a ready server")
        ready = READY.search(self.output)
        assert ready, self.output
        self.channel = grpc.insecure_channel(ready[1])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def stop(self) -> None:
        if self.channel is not None:
            self.channel.close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def state(self, name: str, version: int) -> tuple[str, int]:
        """The version's state and error code; ``("", 0)`` for an unknown version."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        for status in self.models.GetModelStatus(request).model_version_status:
            if status.version == version:
                return get_model_status_pb2.ModelVersionStatus.State.Name(status.state), status.status.error_code
        return "", 0

    @contextmanager
    def load(self, name: str, label: str | None = None) -> Iterator[Load]:
        """Two clients of the newest version and two of the label; afterwards, no request may have failed."""
        labels = [None, None] + [label, label] * (label is not None)
        load = Load([Client(self.prediction, name, label) for label in labels])
        for client in load.clients:
            client.start()
        try:
            load.wait_for_more(1)
            yield load
            load.wait_for_more()
        finally:
            for client in load.clients:
                client.stop.set()
            for client in load.clients:
                client.join(PATIENCE_S)
        for client in load.clients:
            assert client.failures == [], self.output
            for version, mask in client.answers:
                assert mask == {self.repository.answers[name, version]}
        for client in load.unlabelled:
            assert client.versions == sorted(client.versions), "a client went back"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """``road`` with versions 1 to 4 and the label stable on 4; ``signs`` with versions 1 and 2, without a label."""
    folder = tmp_path_factory.mktemp("under_load")
    classes = tuple(ClassInfo(i, f"class {i}", (i, i, i)) for i in range(CLASSES))
    cards = {name: ModelCard(name, "constant", HEIGHT, WIDTH, classes) for name in ("road", "signs")}
    exports = {}
    for name, answer in itertools.product(cards, range(CLASSES)):
        exports[name, answer] = folder / "exports" / f"{name}-{answer}"
        export(cards[name], answer, exports[name, answer])
    repository = Repository(folder / "models_repo", exports, cards)
    for name in ("road", "road", "road", "road", "signs", "signs"):
        repository.publish(name)
    repository.command("label road stable 4")
    flags = {
        "port": 0,
        "model_config_file": repository.config,
        "models_root": repository.root,
        "model_config_file_poll_wait_seconds": 2,
        "file_system_poll_wait_seconds": 1,
        "allow_version_labels_for_unavailable_models": "true",
        "max_num_load_retries": 1,
        "load_retry_interval_micros": 200_000,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", *(f"--{name}={value}" for name, value in flags.items())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    service = Service(repository, process)
    try:
        service.connect()
        yield service
    finally:
        service.stop()


def export(card: ModelCard, answer: int, folder: Path) -> None:
    """A real export of a network that predicts class ``answer`` everywhere."""
    image = keras.Input((HEIGHT, WIDTH, 3))
    bias = keras.initializers.Constant(np.eye(CLASSES)[answer])
    logits = keras.layers.Conv2D(CLASSES, 1, strides=8, kernel_initializer="zeros", bias_initializer=bias)(image)
    module = graph.freeze(keras.Model(image, {"logits": logits}), HEIGHT, WIDTH)
    graph.save(module, graph.signatures(module, card), str(folder))


def test_publishing(service: Service) -> None:
    repository = service.repository
    stable = models(repository.config)["road"].labels["stable"]
    with service.load("road", "stable") as load:
        for _ in range(3):  # without waiting: the server polls folders and policy independently
            version = repository.publish("road")
        load.wait_for(version)
        for _ in range(2):
            before = max(versions(repository.root, "road"))
            load.wait_for(before)
            version = repository.publish("road")
            load.wait_for(version)
            for client in load.unlabelled:
                assert client.versions[-2:] == [before, version]
    for client in load.labelled:
        assert client.versions == [stable]


def test_relabelling(service: Service) -> None:
    repository = service.repository
    first, second, *_, newest = [*versions(repository.root, "road"), *(repository.publish("road") for _ in range(3))]
    repository.command(f"label road stable {newest}")
    with service.load("road", "stable") as load:
        load.wait_for_label(newest)
        load.wait_for(newest)
        # The first two have been unloaded: they are loaded again before the label moves.
        moves = [first, newest - 1, second, newest]
        for version in moves:
            repository.command(f"label road stable {version}")
            load.wait_for_label(version)
    for client in load.labelled:
        assert client.versions[-len(moves) :] == moves


def test_rolling_back(service: Service) -> None:
    repository = service.repository
    repository.publish("road")
    with service.load("road", "stable") as load:
        for _ in range(2):
            newest = max(versions(repository.root, "road"))
            load.wait_for(newest)
            version = repository.rollback("road", to=newest - 1)
            assert version == newest + 1
            load.wait_for(version)


def test_pruning(service: Service) -> None:
    repository = service.repository
    repository.publish("road")
    newest = repository.publish("road")
    stable = newest - 1
    repository.command(f"label road stable {stable}")
    with service.load("road", "stable") as load:
        load.wait_for(newest)
        load.wait_for_label(stable)
        repository.command("prune road")
        repository.command("prune road")
        assert versions(repository.root, "road") == [stable, newest]
        wait_for(lambda: service.state("road", stable)[0] == "AVAILABLE", "the labelled version")
        load.wait_for_more()


def damaged(good: Path, folder: Path) -> None:
    """A truncated graph, renamed into place."""
    temporary = shutil.copytree(good, good.with_name(".tmp-damaged"))
    whole = (good / "saved_model.pb").read_bytes()
    (temporary / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    temporary.rename(folder)


def half_copied(good: Path, folder: Path) -> None:
    """The graph is still missing."""
    shutil.copytree(good / "assets.extra", folder / "assets.extra")


def failing_warmup(good: Path, folder: Path) -> None:
    """A graph that loads but cannot run its warm-up requests."""
    module = tf.Module()
    module.answer = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    temporary = good.with_name(".tmp-other")
    tf.saved_model.save(module, str(temporary), module.answer)
    shutil.copytree(good / "assets.extra", temporary / "assets.extra")
    temporary.rename(folder)


@pytest.mark.parametrize("corrupt", [damaged, half_copied, failing_warmup])
def test_corrupt_version_copied_in_by_hand(service: Service, corrupt: Callable[[Path, Path], None]) -> None:
    repository = service.repository
    with service.load("signs") as load:
        good = repository.publish("signs")
        load.wait_for(good)
        bad = good + 1
        corrupt(repository.root / "signs" / str(good), repository.root / "signs" / str(bad))
        wait_for(lambda: service.state("signs", bad)[0] == "END", "the end of the corrupt version")
        assert service.state("signs", bad)[1] != 0
        load.wait_for_more()
        assert {client.version for client in load.clients} == {good}

        version = repository.publish("signs")
        assert version == bad + 1
        load.wait_for(version)
        repository.command("prune signs --keep 2")
        assert good in versions(repository.root, "signs"), "the newest complete version before the last"
        load.wait_for_more()


def test_models_config_with_a_syntax_error(service: Service) -> None:
    repository = service.repository
    newest = max(versions(repository.root, "road"))
    with service.load("road", "stable") as load:
        load.wait_for(newest)
        good = repository.config.read_text()
        seen = len(service.lines)
        broken = repository.config.with_name("broken")
        broken.write_text(good.replace("model_config_list {", "model_config_list {{"))
        broken.replace(repository.config)
        wait_for(lambda: "Error parsing text-format" in "".join(service.lines[seen:]), "the server's error")
        for command in (f"label road stable {newest}", "rollback road", "prune road"):
            refusal = repository.command(command, status=1)
            assert refusal.stderr.startswith(f"segstack models: {repository.config}: line ")
        load.wait_for_more()

        repository.config.write_text(good)
        version = repository.publish("road")
        load.wait_for(version)
