"""How a training ends before its last epoch: early stopping, signals, errors. Whole trainings are in test_loop.py.

Signals are simulated: delivered by the system, one ended the whole test process with a segmentation fault, after
thousands of other tests, for unknown reasons. One test sends a real signal to a process of its own.
"""

import _thread
import json
import math
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from trainer.errors import UserError
from trainer.recipe import StopEarly
from trainer.runs import RunFolder
from trainer.training.distribution import Distribution
from trainer.training.logbook import EpochMetrics
from trainer.training.stopping import EarlyStopping, Interruption, as_user_errors, resume_hint

SIGNALLED = """
import signal
from trainer.training.stopping import Interruption
with Interruption() as interruption:
    signal.raise_signal(signal.SIGTERM)
    print(interruption.signal.name, flush=True)
    signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_kept(number):
    with Interruption() as interruption:
        assert not interruption
        _thread.interrupt_main(number)
        assert interruption
        assert interruption.signal == number


def test_second_signal_has_its_usual_effect():
    with Interruption():
        _thread.interrupt_main(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            _thread.interrupt_main(signal.SIGINT)


def test_signals_have_their_usual_effect_afterwards():
    with Interruption() as interruption:
        pass
    with pytest.raises(KeyboardInterrupt):
        _thread.interrupt_main(signal.SIGINT)
    assert not interruption


def test_signal_sent_by_the_system():
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.returncode) == ("SIGTERM\n", -signal.SIGTERM), done.stderr


def metrics(miou=None, loss=None):
    return EpochMetrics(1, 1.0, loss, miou, None, 1.0, 1.0)


def ended(stopping, values, name):
    return [stopping.update(metrics(**{name: value})) for value in values]


def test_training_ends_after_patience_validations_without_a_better_miou():
    stopping = EarlyStopping(StopEarly(patience=2))
    assert ended(stopping, [0.1, 0.3, 0.2, 0.31, 0.31, 0.2], "miou") == [False] * 5 + [True]


def test_smaller_loss_is_better():
    stopping = EarlyStopping(StopEarly(patience=2, monitor="loss"))
    assert ended(stopping, [0.9, 0.8, 0.85, 0.8], "loss") == [False, False, False, True]


def test_epoch_without_validation_does_not_count():
    stopping = EarlyStopping(StopEarly(patience=1))
    assert ended(stopping, [0.5, None, None, 0.4], "miou") == [False, False, False, True]


def test_nan_is_never_the_best():
    stopping = EarlyStopping(StopEarly(patience=2))
    assert ended(stopping, [math.nan, 0.1, math.nan, math.nan], "miou") == [False, False, False, True]


def test_resumed_training_continues_counting():
    first = EarlyStopping(StopEarly(patience=2))
    ended(first, [0.5, 0.4], "miou")
    again = EarlyStopping(StopEarly(patience=2))
    again.restore(json.loads(json.dumps(first.state())))
    assert again.update(metrics(miou=0.45))


def test_counting_restarts_with_another_metric():
    by_miou = EarlyStopping(StopEarly(patience=1))
    ended(by_miou, [0.5], "miou")
    by_loss = EarlyStopping(StopEarly(patience=1, monitor="loss"))
    by_loss.restore(by_miou.state())
    assert ended(by_loss, [0.9, 0.8, 0.85], "loss") == [False, False, True]


@pytest.mark.parametrize("value", [0.5, None])
def test_without_options_no_training_ends_early(value):
    assert not any(ended(EarlyStopping(None), [value] * 1000, "miou"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("run/events; No space left on device", "run: No space left on device. No state had been saved yet"),
        ("OOM when allocating tensor", "the device's memory is too small for a batch of 4: lower data.batch_size"),
    ],
)
def test_full_disk_and_full_device_have_different_messages(tiny_recipe, tmp_path, message, expected):
    with (
        pytest.raises(UserError, match=expected),
        as_user_errors(RunFolder(tmp_path / "run"), tiny_recipe(), Distribution(), lambda: None),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, message)


def test_resume_hint_is_a_command_as_the_user_types_it(tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "my run")
    assert resume_hint(run) == "No state had been saved yet"
    run.state.mkdir(parents=True)
    run.state_after(17).touch()
    assert f"after step 17 is saved; resume with `segstack train --resume '{run}'`" in resume_hint(run)
    monkeypatch.setenv("SEGSTACK_COMMAND", "RUNTIME=docker scripts/run.sh")
    assert f"`RUNTIME=docker scripts/run.sh train --resume '{run}'`" in resume_hint(run)
