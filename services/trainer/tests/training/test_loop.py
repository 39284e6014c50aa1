"""Training: the best weights are kept, and what cannot be trained is refused before anything is written.

The training itself is the fixture ``run``: one epoch over the drawn set, on which the tests of runs and exports stand.
"""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from trainer.data.dataset import split_of
from trainer.errors import UserError
from trainer.models import create_model
from trainer.recipe import load_recipe
from trainer.training import loop
from trainer.training.loop import train


@pytest.fixture
def recipe_with(recipe_file):
    return lambda *overrides: load_recipe(recipe_file, overrides)


def test_training_moves_the_weights(run):
    trained = tf.keras.models.load_model(run.weights, compile=False)
    tf.keras.utils.set_random_seed(run.recipe.seed)
    fresh = create_model("ddrnet23_slim", 64, 96, len(run.classes), auxiliary=True)
    for before, after in zip(fresh.weights, trained.weights, strict=True):
        assert not np.array_equal(before.numpy(), after.numpy()), before.path
        assert np.isfinite(after.numpy()).all()


@pytest.mark.parametrize("taken", ["run/notes.txt", "run"])
def test_a_taken_folder_is_refused(recipe_with, tmp_path, write_files, taken):
    write_files(tmp_path, {taken: "precious"})
    with pytest.raises(UserError, match="run is not empty: name a new folder with --run"):
        train(recipe_with(), tmp_path / "run")
    assert (tmp_path / taken).read_text() == "precious"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.path=nowhere", r"nowhere is not a data set: dataset\.json is missing"),
        ("network=segnet", "there is no network 'segnet': choose one of .*ddrnet23_slim"),
        ("data.input_width=100", "multiples of 32, not 64x100: the next size is 64x128"),
        ("data.batch_size=500", "training images do not fill one batch of 500"),
        (
            "losses.cross_entropy.class_weights=[1, 2]",
            "class_weights has 2 values for . classes: give one per class, in id order",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_no_folder(recipe_with, tmp_path, override, said):
    with pytest.raises(UserError, match=said):
        train(recipe_with(override), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_split_without_images_is_refused_before_training(recipe_with, dataset, tmp_path):
    items = tuple(item for item in dataset.items if split_of(item.id, dataset.split_seed) != "test")
    untestable = dataclasses.replace(dataset, root=tmp_path / "set", items=items)
    untestable.root.mkdir()
    untestable.save()
    with pytest.raises(UserError, match="none falls into the test split"):
        train(recipe_with(f"data.path={untestable.root}"), tmp_path / "run")


def test_a_data_set_that_validation_refuses_is_not_trained_on(recipe_with, dataset, tmp_path, write_files):
    for folder in ("images", "masks"):
        shutil.copytree(dataset.root / folder, tmp_path / "set" / folder)
    dataclasses.replace(dataset, root=tmp_path / "set").save()
    write_files(tmp_path / "set", {dataset.items[0].mask: np.full((64, 96), 200, np.uint8)})
    with pytest.raises(
        UserError, match=r"1 error in this data set; .*\n  masks/frame_000000\.png: 6,144 pixels have v"
    ):
        train(recipe_with(f"data.path={tmp_path / 'set'}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_stopped_in_its_first_epoch_leaves_no_folder(recipe_with, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "total_loss", stop)  # called when the first step is traced
    with pytest.raises(KeyboardInterrupt):
        train(recipe_with(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
