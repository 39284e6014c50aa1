"""Training: what cannot be trained is a UserError before anything is written; how a training ends and is resumed.

A whole training of a real network is the fixture ``run``: one epoch over the drawn set, which the tests of runs and
exports use. Killed trainings are in test_killed.py, several devices in test_several_devices.py.
"""

import _thread
import csv
import dataclasses
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.datasets.dataset import split_of
from trainer.errors import UserError
from trainer.models import create_model
from trainer.recipe import load_recipe
from trainer.runs import RunFolder
from trainer.training.checkpoint import load_state
from trainer.training.loop import train
from trainer.training.stopping import StoppedError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")

EPOCH = 17  # steps


@pytest.fixture
def recipe_with(recipe_file):
    return lambda *overrides: load_recipe(recipe_file, overrides)


@pytest.fixture(scope="module")
def two_epochs(tiny_recipe, tmp_path_factory):
    """An uninterrupted run of ``tiny``."""
    folder = tmp_path_factory.mktemp("two_epochs") / "run"
    train(tiny_recipe("epochs=2"), folder)
    return folder


@pytest.fixture
def copied(dataset, tmp_path):
    """A copy of the drawn set, to be damaged."""
    for folder in ("images", "masks"):
        shutil.copytree(dataset.root / folder, tmp_path / "set" / folder)
    copy = dataclasses.replace(dataset, root=tmp_path / "set")
    copy.save()
    return copy


def logged_steps(folder):
    with (folder / "metrics.csv").open() as file:
        return [int(line["step"]) for line in csv.DictReader(file)]


def test_training_changes_the_weights(run):
    trained = tf.keras.models.load_model(run.weights, compile=False)
    tf.keras.utils.set_random_seed(run.recipe.seed)
    fresh = create_model("ddrnet23_slim", 64, 96, len(run.classes), auxiliary=True)
    for before, after in zip(fresh.weights, trained.weights, strict=True):
        assert not np.array_equal(before.numpy(), after.numpy()), before.path
        assert np.isfinite(after.numpy()).all()


@pytest.mark.parametrize("taken", ["run/notes.txt", "run"])
def test_folder_that_is_not_empty_is_a_user_error(recipe_with, tmp_path, write_files, taken):
    write_files(tmp_path, {taken: "precious"})
    with pytest.raises(UserError, match="run is not empty: name a new folder with --run"):
        train(recipe_with(), tmp_path / "run")
    assert (tmp_path / taken).read_text() == "precious"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.path=nowhere", r"nowhere is not a data set: dataset\.json is missing"),
        ("network=segnet", "no network 'segnet': choose one of .*ddrnet23_slim"),
        ("data.input_width=100", "multiples of 32, not 64x100: the next size is 64x128"),
        ("data.batch_size=500", "training images do not fill one batch of 500"),
        (
            "losses.cross_entropy.class_weights=[1, 2]",
            "class_weights has 2 values for . classes: give one per class, in id order",
        ),
    ],
)
def test_untrainable_recipe_is_a_user_error_and_leaves_no_folder(recipe_with, tmp_path, override, message):
    with pytest.raises(UserError, match=message):
        train(recipe_with(override), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_split_without_images_is_a_user_error_before_training(recipe_with, dataset, tmp_path):
    items = tuple(item for item in dataset.items if split_of(item.id, dataset.split_seed) != "test")
    untestable = dataclasses.replace(dataset, root=tmp_path / "set", items=items)
    untestable.root.mkdir()
    untestable.save()
    with pytest.raises(UserError, match="images is in the test split"):
        train(recipe_with(f"data.path={untestable.root}"), tmp_path / "run")


def test_invalid_data_set_is_a_user_error(recipe_with, copied, tmp_path, write_files):
    write_files(copied.root, {copied.items[0].mask: np.full((64, 96), 200, np.uint8)})
    with pytest.raises(
        UserError, match=r"1 error in this data set; .*\n  masks/frame_000000\.png: 6,144 pixels have v"
    ):
        train(recipe_with(f"data.path={copied.root}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stopped_and_resumed_training_ends_with_the_same_weights(
    two_epochs, tiny_recipe, once_saved, weights_of, tmp_path, capsys
):
    run = tmp_path / "run"
    with (
        pytest.raises(StoppedError, match=r"stopped by SIGTERM at step \d+ of 34\. The state after step \d+ is"),
        once_saved(run, lambda: _thread.interrupt_main(signal.SIGTERM)),  # test_stopping says why not kill
    ):
        train(tiny_recipe("epochs=2"), run, state_seconds=0)
    assert 0 < RunFolder(run).last_saved_step() < 2 * EPOCH

    train(tiny_recipe("epochs=2"), run, resume=True)
    for ours, theirs in zip(weights_of(two_epochs), weights_of(run), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert logged_steps(run) == [EPOCH, 2 * EPOCH]
    assert "resumed after step" in capsys.readouterr().err


def test_kill_between_saving_networks_and_state_keeps_the_better_network(two_epochs, tiny_recipe, tmp_path):
    run = shutil.copytree(two_epochs, tmp_path / "run")
    files = RunFolder(run)
    files.state_after(2 * EPOCH).unlink()
    files.save_facts({**files.load_facts(), "validation_miou": 0.99, "best_epoch": 2})
    best = files.best.read_bytes()
    assert train(tiny_recipe("epochs=2"), run, resume=True) == 0.99
    facts = files.load_facts()
    assert (facts["validation_miou"], facts["best_epoch"], facts["epochs"]) == (0.99, 2, 2)
    assert files.best.read_bytes() == best


def test_moving_average_is_validated_and_saved(tiny_recipe, weights_of, tmp_path):
    run = tmp_path / "run"
    train(tiny_recipe("average=0.999"), run)
    saved, values = weights_of(run, "best.keras"), load_state(RunFolder(run)).values
    for ours, theirs in zip(saved, values[-len(saved) :], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.allclose(saved[0], values[0])  # the trained network's


def test_resuming_does_not_need_the_initial_weights(two_epochs, tiny_recipe, tmp_path, capsys):
    begun = shutil.copytree(two_epochs, tmp_path / "begun")
    run, early = tmp_path / "run", ("optimizer.learning_rate=1e-30", "early_stopping.patience=1", f"weights={begun}")
    train(tiny_recipe("epochs=9", *early), run)
    ended = len(logged_steps(run))
    assert ended < 9

    shutil.rmtree(begun)
    train(tiny_recipe("epochs=9", *early), run, resume=True)
    assert f"was stopped early after {ended} epochs; --set early_stopping=null trains on" in capsys.readouterr().err


def test_finished_run_is_not_trained_on(two_epochs, tiny_recipe, tmp_path, capsys):
    run = shutil.copytree(two_epochs, tmp_path / "run")
    train(tiny_recipe("epochs=2"), run, resume=True)
    assert "run is finished after 2 epochs" in capsys.readouterr().err
    assert logged_steps(run) == [EPOCH, 2 * EPOCH]


def test_nan_loss_ends_training_and_the_last_state_is_usable(two_epochs, tiny_recipe, tmp_path):
    run = shutil.copytree(two_epochs, tmp_path / "run")
    hopeless = tiny_recipe("epochs=3", "optimizer.learning_rate=1e30")
    with pytest.raises(UserError, match=r"the loss became (nan|inf) by step 40 \(epoch 3\): .* after step 34"):
        train(hopeless, run, resume=True)
    assert RunFolder(run).last_saved_step() == 2 * EPOCH

    train(tiny_recipe("epochs=3"), run, resume=True)
    assert logged_steps(run) == [EPOCH, 2 * EPOCH, 3 * EPOCH]


def test_nan_loss_before_the_first_state_leaves_no_folder(tiny_recipe, tmp_path):
    with pytest.raises(UserError, match=r"the loss became .*\. No state had been saved yet"):
        train(tiny_recipe("optimizer.learning_rate=1e30"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_full_disk_ends_training_and_the_last_state_is_usable(two_epochs, tiny_recipe, tmp_path):
    run = shutil.copytree(two_epochs, tmp_path / "run")
    (run / ".tmp-last.keras").symlink_to("/dev/full")
    with pytest.raises(
        UserError, match=r"No space left on device\. The state after step 34 is saved; resume with .*--resume"
    ):
        train(tiny_recipe("epochs=3"), run, resume=True)
    train(tiny_recipe("epochs=3"), run, resume=True)
    assert logged_steps(run) == [EPOCH, 2 * EPOCH, 3 * EPOCH]


def test_removed_data_set_ends_training_and_the_state_is_saved(tiny_recipe, copied, once_saved, tmp_path):
    run, images = tmp_path / "run", copied.root / "images"
    recipe = tiny_recipe("epochs=1000", f"data.path={copied.root}")
    with (
        pytest.raises(UserError, match=r"cannot be read: import the labels again\. The state after step \d+ is"),
        once_saved(run, lambda: images.rename(tmp_path / "elsewhere")),
    ):
        train(recipe, run, state_seconds=0)
    assert RunFolder(run).last_saved_step() > 0


def test_resuming_with_a_different_data_set_is_a_user_error(two_epochs, tiny_recipe, copied, tmp_path):
    dataclasses.replace(copied, items=copied.items[1:]).save()
    with pytest.raises(UserError, match=r"set is not the data set that .* was trained on"):
        train(tiny_recipe("epochs=3", f"data.path={copied.root}"), two_epochs, resume=True)


def test_validate_every_skips_epochs(tiny_recipe, tmp_path):
    run = tmp_path / "run"
    train(tiny_recipe("epochs=3", "validate_every=2"), run)
    with (run / "metrics.csv").open() as file:
        assert [bool(line["validation_miou"]) for line in csv.DictReader(file)] == [False, True, True]
