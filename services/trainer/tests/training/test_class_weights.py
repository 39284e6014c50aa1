"""Class weights of a recipe: from the images' pixels or as written, into the losses that take them."""

from pathlib import Path

import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.class_weights import enet
from trainer.datasets.validation_report import SplitLabels, ValidationReport
from trainer.losses.registry import CrossEntropy, Dice, Focal, OhemCrossEntropy
from trainer.recipe import Data, Recipe
from trainer.training.class_weights import with_class_weights

COUNTS = np.array([[60, 40, 0], [98, 0, 2]])


@pytest.fixture
def report():
    classes = tuple(ClassInfo(i, name, (i, i, i)) for i, name in enumerate(("background", "road", "bolt")))
    others = {name: SplitLabels(np.array([[0, 0, 1000]]), 0) for name in ("validation", "test")}
    return ValidationReport(Path("set"), classes, (), (), {"train": SplitLabels(COUNTS, 0), **others})


def recipe(**values):
    return Recipe(network="unet", data=Data(path="set", input_height=32, input_width=32), epochs=1, **values)


def test_none_leaves_a_recipe_as_it_is(report):
    assert with_class_weights(recipe(), report) == recipe()


def test_automatic_ones_are_enet_s_over_the_training_images_with_a_mean_of_one(report):
    weighted = with_class_weights(recipe(class_weights="auto"), report)
    (loss,) = weighted.losses
    assert weighted.class_weights == loss.class_weights
    weights = np.array(loss.class_weights)
    assert weights / weights[0] == pytest.approx(enet(COUNTS) / enet(COUNTS)[0], rel=1e-3)
    assert (weights * COUNTS.sum(axis=0)).sum() / COUNTS.sum() == pytest.approx(1, rel=1e-3)


def test_every_loss_that_takes_them_gets_them_unless_it_has_its_own(report):
    losses = (OhemCrossEntropy(), Focal(), Dice(), CrossEntropy(class_weights=(1, 1, 9)))
    weighted = with_class_weights(recipe(class_weights=(1, 2, 3), losses=losses), report)
    assert weighted.losses == (
        OhemCrossEntropy(class_weights=(1, 2, 3)),
        Focal(alpha=(1, 2, 3)),
        Dice(),
        CrossEntropy(class_weights=(1, 1, 9)),
    )
