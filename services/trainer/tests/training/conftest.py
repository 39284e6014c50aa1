"""What the tests of training share: the network ``tiny``, recipes for it, and its command line in other processes."""

import contextlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("tiny.py")
_PATIENCE = 240  # seconds; more than anything needs, even on a busy machine

TINY = """
network: tiny
data: {{path: {data}, input_height: 32, input_width: 48, batch_size: 4}}
optimizer: {{name: sgd, learning_rate: 0.05, warmup_steps: 0}}
epochs: 1
"""


@pytest.fixture(scope="session")
def tiny_network():
    """Registers ``tiny``; its builder."""
    return runpy.run_path(str(_SCRIPT))["tiny"]


@pytest.fixture(scope="session")
def tiny_file(tiny_network, dataset, tmp_path_factory):
    """A recipe of one epoch, 17 or so steps, over the drawn set."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(TINY.format(data=dataset.root))
    return path


@pytest.fixture(scope="session")
def tiny_recipe(tiny_file):
    """``tiny_recipe("epochs=2", …)``: that recipe, with overrides."""
    from trainer.recipe import load_recipe

    return lambda *overrides: load_recipe(tiny_file, overrides)


@pytest.fixture(scope="session")
def weights_of():
    """``weights_of(folder, name="last.keras")``: the arrays of a run's network."""
    import keras

    return lambda folder, name="last.keras": keras.models.load_model(folder / name, compile=False).get_weights()


@pytest.fixture
def wait_for():
    """``wait_for(condition, process=None)``: until it holds; fails when time is up or the process has ended before."""

    def wait(condition, process=None):
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "timed out"
            assert process is None or process.poll() is None, process.communicate()[1]
            time.sleep(0.02)

    return wait


@pytest.fixture
def once_saved(wait_for):
    """``with once_saved(folder, action):`` does something once the training in the block has saved its first state."""

    @contextlib.contextmanager
    def once(folder, action):
        def watch():
            wait_for(lambda: list(folder.glob("state/step-*.npz")))
            action()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            watcher.join()

    return once


@pytest.fixture
def tiny_process():
    """``tiny_process("train", …, script=tiny.py, **environment)``: started; killed at the test's end in any case."""
    with contextlib.ExitStack() as started:

        def start(*words, script=_SCRIPT, **environment):
            process = subprocess.Popen(
                [sys.executable, str(script), *map(str, words)],
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.callback(process.communicate)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def finish():
    """``finish(process, status=0)``: wait for it; its standard error."""

    def wait(process, status=0):
        _, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode == status, errors
        return errors

    return wait


@pytest.fixture
def two_workers(tiny_process):
    """``two_workers("train", …)``: the same command as two workers of one cluster, the chief first."""

    def start(*words):
        with contextlib.ExitStack() as held:
            probes = [held.enter_context(socket.socket()) for _ in range(2)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            addresses = ["{}:{}".format(*probe.getsockname()) for probe in probes]
        cluster = {"worker": addresses}
        return [
            tiny_process(*words, TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}))
            for index in range(2)
        ]

    return start
