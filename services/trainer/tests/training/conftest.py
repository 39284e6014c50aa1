"""What the tests of training share: the network ``tiny``, recipes for it, and its command line in processes."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from segstack_testing.tiny_training import TINY_SCRIPT, tiny_file, tiny_network, tiny_recipe  # noqa: F401

_PATIENCE = 240  # seconds; more than anything needs, even on a busy machine


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

        def start(*words, script=TINY_SCRIPT, **environment):
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
