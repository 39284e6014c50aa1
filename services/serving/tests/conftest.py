"""Small real models, and the real server in its own process, called through the official stubs."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest

from segstack_testing.waiting import scaled, wait_until
from serving.__main__ import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

NUMERIC_DTYPES = (
    *(tf.bool, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64),
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128),
)

READY = re.compile(r"ready on 127\.0\.0\.1:(\d+)")


class Segmenter(tf.Module):
    """uint8 image in, uint8 mask out, as the project's networks; and one signature of every other kind."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")])
    def mask(self, image):
        return {"mask": tf.cast(tf.argmax(image, -1), tf.uint8), "confidence": tf.reduce_max(image, -1)}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def floats(self, x):
        return {"y": tf.matmul(x, tf.ones([3, 2]))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="query")])
    def strings(self, query):
        return {"answer": tf.strings.join([query, "!"])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=name) for name in "ab"])
    def add(self, a, b):
        return {"sum": a + b}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64, name="turns")])
    def spin(self, turns):
        return {"done": tf.while_loop(lambda i: i < turns, lambda i: (i + 1,), [tf.constant(0, tf.int64)])[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def refuse(self, text):
        with tf.control_dependencies([tf.debugging.Assert(False, [text], summarize=1)]):
            return {"text": tf.identity(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def every_dtype(self, x):
        numbers = {dtype.name: tf.cast(x, dtype) for dtype in NUMERIC_DTYPES}
        return numbers | {"string": tf.strings.as_string(tf.cast(x, tf.int32))}


class Constant(tf.Module):
    """Answers with the number it was built with, kept in a variable: shows which version answered."""

    def __init__(self, value):
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def answer(self, x):
        return {"value": tf.zeros_like(x) + self.value}


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory):
    """Folder of a SavedModel with a signature of each kind."""
    path = tmp_path_factory.mktemp("segmenter") / "saved"
    module = Segmenter()
    signatures = {name: getattr(module, name) for name in ("floats", "strings", "add", "spin", "refuse", "every_dtype")}
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.mask, **signatures})
    return path


@pytest.fixture(scope="session")
def publish_in():
    """Publish a version of a model that returns its number: written to a temporary folder, then renamed."""

    def publish_in(root, name, version, warmup=None):
        module = Constant(float(version))
        temporary = root / name / f".tmp-{version}"
        tf.saved_model.save(module, str(temporary), signatures=module.answer)
        if warmup is not None:
            write_warmup(temporary, warmup)
        temporary.rename(root / name / str(version))
        return root / name / str(version)

    return publish_in


@pytest.fixture
def publish(tmp_path, publish_in):
    """Publish a version in the test's own models_repo: ``publish("m", 2)``."""
    return functools.partial(publish_in, tmp_path / "models_repo")


def write_warmup(path, requests):
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


@pytest.fixture
def write_config(tmp_path):
    """Write models.config for the models named, with an optional extra per model, by one rename."""

    def write_config(root=tmp_path / "models_repo", **extras):
        configs = "".join(
            f'config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" {extra} }}\n'
            for name, extra in extras.items()
        )
        root.mkdir(exist_ok=True)
        temporary = root / ".tmp-models.config"
        temporary.write_text(f"model_config_list {{\n{configs}}}\n")
        return temporary.rename(root / "models.config")

    return write_config


@pytest.fixture(scope="session")
def predict_request():
    """Build a PredictRequest: ``predict_request("m", "floats", x=array)``."""

    def build(name, signature="", /, version=None, label=None, outputs=(), **inputs):
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return request

    return build


class Server:
    """A running ``python -m serving``, with its output and gRPC stubs."""

    def __init__(self, arguments):
        environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--port=0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._channel = None

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self):
        return "\n".join(self.lines)

    def wait_for(self, pattern, timeout_s=30):
        timeout_s = scaled(timeout_s)
        deadline = time.monotonic() + timeout_s
        while (match := re.search(pattern, self.output)) is None:
            over = self.process.poll() is not None and not self._reader.is_alive()
            assert not over, f"ended before printing {pattern!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"did not print {pattern!r} in {timeout_s:.0f} s:\n{self.output}"
            time.sleep(0.02)
        return match

    def connect(self):
        self.port = int(self.wait_for(READY.pattern).group(1))
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=[("grpc.max_receive_message_length", -1)]
        )
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        return self

    def status(self, name):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        return {
            status.version: (get_model_status_pb2.ModelVersionStatus.State.Name(status.state), status.status)
            for status in self.models.GetModelStatus(request).model_version_status
        }

    def stop(self, signal_number=signal.SIGTERM, timeout_s=20):
        if self._channel is not None:
            self._channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(scaled(timeout_s))
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()


def starter():
    servers = []

    def start(*arguments):
        servers.append(Server(arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def start_server():
    """Start servers that end with the test: ``start_server("--model_base_path=…")``."""
    yield from starter()


@pytest.fixture(scope="module")
def start_module_server():
    """Start servers that end with the module."""
    yield from starter()


@pytest.fixture(scope="session")
def server(segmenter, tmp_path_factory):
    """One server for every test that only sends requests: version 3 of "segmenter" served, labelled stable."""
    root = tmp_path_factory.mktemp("models_repo")
    (root / "segmenter").mkdir()
    (root / "segmenter" / "3").symlink_to(segmenter)
    (root / "models.config").write_text(
        'model_config_list { config { name: "segmenter" base_path: "/models/segmenter" model_platform: "tensorflow"'
        ' version_labels { key: "stable" value: 3 } } }'
    )
    server = Server([f"--model_config_file={root / 'models.config'}", f"--models_root={root}"])
    try:
        yield server.connect()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def eventually():
    """Wait for a condition that something else brings about."""
    return lambda condition, timeout_s=10: wait_until(condition, timeout_s)


@pytest.fixture
def link_version(tmp_path):
    """Put a SavedModel at <root>/<name>/<version>."""

    def link(saved, name, version, root=tmp_path / "models_repo"):
        target: Path = root / name / str(version)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(saved)
        return root

    return link
