"""Embedded serving's resident memory over a thousand version swaps: it must stay flat.

    .venv/bin/python -m benchmarks.serving_memory [--swaps N] [-- FLAGS OF THE SERVER]

A real server serves a small network with the contract's signatures and warm-up. Each swap publishes the next version,
waits until the server has loaded it and dropped the one before, and requests a mask from it. Memory is read at rest,
ten times; the last reading is compared with the first, after a tenth of the swaps, so that pools which fill once do
not count. Exits 1 if memory grew by more than the bound.

Measured on TensorFlow 2.21, Python 3.11, two shared cores: 751 MB at the start, 770 MB after 100 swaps,
765 to 768 MB from there on, 768 MB after 1,000 (-2 MB; 1,371 s). What is needed, in a process that loads, warms
up and drops one version 61 times (791 MB after the first):

* dropping the references alone: 1,132 MB, and rising. A TensorFlow graph is reference cycles, and its constants, the
  weights, wait for a collection of Python's oldest generation.
* plus a collection at every drop: 741 MB, flat.
* plus malloc_trim: 632 MB, flat.

--engine=openvino also needs a limit on glibc's heaps. Without one, memory crept from 878 MB after 30 swaps to 931 after
150; with one heap per core it is 840 MB after 25 and 841 after 50. Requests a second from four concurrent clients, in
alternating rounds, with the limit against without: 1.09 (TensorFlow) and 1.01 (OpenVINO), equal as far as a
shared machine can show.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from contract import ClassInfo, ModelCard, publish
from trainer.frozen import graph

SWAPS = 1000
READINGS = 10
GROWTH_BOUND_MB = 32
SWAP_TIMEOUT_S = 60

HEIGHT, WIDTH, CLASSES, CHANNELS = 64, 96, 4, 384
CARD = ModelCard(
    name="bench",
    architecture="two convolutions",
    input_height=HEIGHT,
    input_width=WIDTH,
    classes=tuple(ClassInfo(i, f"class {i}", (60 * i, 90, 128)) for i in range(CLASSES)),
)


def write_model(folder: Path) -> None:
    """A SavedModel with the signatures and 5 MB of weights: a version that stays in memory shows."""
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = keras.layers.Conv2D(CHANNELS, 3, strides=8, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(x)
    logits = keras.layers.Conv2D(CLASSES, 1)(x)
    module = graph.freeze(keras.Model(image, {"logits": logits}), HEIGHT, WIDTH)
    graph.save(module, graph.signatures(module, CARD), str(folder))


@contextmanager
def serving(models_root: Path, flags: list[str]) -> Iterator[tuple[int, int]]:
    """Start a server that looks for versions on request; its process id and port."""
    command = [
        *(sys.executable, "-m", "serving", "--port=0", "--file_system_poll_wait_seconds=0"),
        *(f"--model_config_file={models_root / 'models.config'}", f"--models_root={models_root}", *flags),
    ]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        try:
            for line in process.stdout:
                if ready := re.match(r"ready on \S+:(\d+)", line):
                    yield process.pid, int(ready[1])
                    return
            log.seek(0)
            raise RuntimeError(f"the server ended before it was ready:\n{log.read()}")
        finally:
            process.terminate()


class Swapper:
    """Publishes versions of one model and waits until the server serves the newest alone."""

    def __init__(self, models_root: Path, port: int) -> None:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._folder = models_root / CARD.name
        self._version = 1
        self._reload = model_management_pb2.ReloadConfigRequest()
        self._reload.config.model_config_list.config.add(
            name=CARD.name, base_path=f"/models/{CARD.name}", model_platform="tensorflow"
        )
        self._predict = predict_pb2.PredictRequest()
        self._predict.model_spec.name = CARD.name
        self._predict.inputs["image"].CopyFrom(tf.make_tensor_proto(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)))

    def swap(self) -> None:
        """One version up; returns when the one before has ended and the new one has answered."""
        old, self._version = self._version, self._version + 1
        (self._folder / str(self._version)).symlink_to(self._folder / "1")
        self._models.HandleReloadConfigRequest(self._reload, timeout=SWAP_TIMEOUT_S)
        until = time.monotonic() + SWAP_TIMEOUT_S
        while self._state(self._version) != "AVAILABLE" or self._state(old) != "END":
            if time.monotonic() > until:
                raise TimeoutError(f"version {self._version} did not replace {old} within {SWAP_TIMEOUT_S} s")
            time.sleep(0.005)
        assert self._prediction.Predict(self._predict).model_spec.version.value == self._version
        if old > 1:
            (self._folder / str(old)).unlink()

    def _state(self, version: int) -> str:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = CARD.name
        request.model_spec.version.value = version
        try:
            (status,) = self._models.GetModelStatus(request).model_version_status
        except grpc.RpcError:
            return "unknown"
        name: Any = get_model_status_pb2.ModelVersionStatus.State.Name(status.state)
        return str(name)


def resident_mb(pid: int) -> float:
    """Resident MB of a process, from Linux's /proc."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def main() -> int:
    """Print the readings and the growth with its bound; 1 if it is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--swaps", type=int, default=SWAPS, help=f"version swaps (default {SWAPS})")
    parser.add_argument("flags", nargs="*", help="flags of the server, after --")
    options = parser.parse_args()
    if options.swaps < READINGS:
        parser.error(f"--swaps is {options.swaps}: expected at least {READINGS}")
    with tempfile.TemporaryDirectory() as folder:
        models_root = Path(folder)
        publish(models_root, CARD, write=write_model, check=lambda _: None)
        with serving(models_root, options.flags) as (pid, port):
            swapper = Swapper(models_root, port)
            print(f"  start        {resident_mb(pid):7.1f} MB", flush=True)
            readings: list[float] = []
            started = time.monotonic()
            for swap in range(1, options.swaps + 1):
                swapper.swap()
                if swap * READINGS // options.swaps > len(readings):
                    readings.append(resident_mb(pid))
                    print(f"  {swap:5} swaps  {readings[-1]:7.1f} MB", flush=True)
            seconds = time.monotonic() - started
    growth = readings[-1] - readings[0]
    print(f"grew by {growth:+.1f} MB from the first reading to the last (bound {GROWTH_BOUND_MB} MB)")
    print(f"{options.swaps} swaps in {seconds:.0f} s")
    return int(growth > GROWTH_BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
