"""The same training on one device, on two of one machine, and on two machines: the same weights.

SGD, because Adam divides rounding by its own size; two epochs, and batches whose halves have unequal numbers of valid
pixels, as ``random_scale`` leaves ignored borders.
"""

import csv
import signal

import numpy as np
import pytest

from segstack_testing.tiny_training import MIRRORED_SCRIPT

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras"),
]

_SET = ("epochs=2", "losses=[cross_entropy, dice]", "optimizer.clip_norm=1.0", "average=0.9")
_SETTINGS = [word for setting in _SET for word in ("--set", setting)]


@pytest.fixture(scope="module")
def alone(tiny_recipe, tmp_path_factory):
    """The run on one device."""
    from trainer.training.loop import train

    folder = tmp_path_factory.mktemp("alone") / "run"
    train(tiny_recipe(*_SET), folder)
    return folder


def epochs_of(run):
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


@pytest.fixture
def assert_equal_runs(weights_of):
    def check(run, other):
        for ours, theirs in zip(weights_of(run), weights_of(other), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
        for ours, theirs in zip(epochs_of(run), epochs_of(other), strict=True):
            for figure in ("loss", "validation_loss", "validation_miou"):
                assert float(ours[figure]) == pytest.approx(float(theirs[figure]), rel=1e-3)

    return check


def test_two_devices_train_as_one(alone, assert_equal_runs, tiny_process, tiny_file, finish, tmp_path):
    finish(tiny_process(tiny_file, tmp_path / "run", *_SET, script=MIRRORED_SCRIPT))
    assert_equal_runs(alone, tmp_path / "run")


def test_lost_worker_ends_training_and_resumes(
    alone, assert_equal_runs, two_workers, tiny_file, finish, wait_for, tmp_path
):
    run = tmp_path / "run"
    chief, worker = two_workers("train", "--config", tiny_file, "--run", run, *_SETTINGS, "--checkpoint-minutes", 0)
    wait_for(lambda: list(run.glob("state/step-*.npz")), chief)
    worker.send_signal(signal.SIGKILL)
    errors = finish(chief, status=1)
    assert "another worker of TF_CONFIG has ended or cannot be reached" in errors
    assert f"`segstack train --resume {run}`" in errors

    for process in two_workers("train", "--resume", run):
        finish(process)
    assert_equal_runs(alone, run)


def test_float16_and_accumulation_on_two_devices(tiny_process, tiny_file, finish, tmp_path):
    finish(tiny_process(tiny_file, tmp_path / "run", "precision=mixed_float16", "accumulate=2", script=MIRRORED_SCRIPT))
    (epoch,) = epochs_of(tmp_path / "run")
    assert 0 < float(epoch["loss"]) < 3
