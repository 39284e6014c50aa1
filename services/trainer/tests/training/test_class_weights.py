"""Class weights of a recipe: from the images' pixels or as written, into the losses that take them."""

from pathlib import Path

import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.class_weights import enet
from trainer.datasets.validation_report import SplitLabels, ValidationReport
from trainer.losses.cross_entropy import CrossEntropy, Focal, OhemCrossEntropy
from trainer.losses.overlap import Dice
from trainer.recipe import Data, Recipe
from trainer.training.loop import with_class_weights

COUNTS = np.array([[60, 40, 0], [98, 0, 2]])


@pytest.fixture
def report():
    classes = tuple(ClassInfo(i, name, (i, i, i)) for i, name in enumerate(("background", "road", "bolt")))
    others = {name: SplitLabels(np.array([[0, 0, 1000]]), 0) for name in ("validation", "test")}
    return ValidationReport(Path("set"), classes, (), (), {"train": SplitLabels(COUNTS, 0), **others})


def recipe(**values):
    return Recipe(network="unet", data=Data(path="set", input_height=32, input_width=32), epochs=1, **values)


def test_none_changes_nothing(report):
    assert with_class_weights(recipe(), report) == recipe()


def test_automatic_weights_are_enet_s_with_a_mean_of_one(report):
    weighted = with_class_weights(recipe(class_weights="auto"), report)
    (loss,) = weighted.losses
    assert weighted.class_weights == loss.class_weights
    weights = np.array(loss.class_weights)
    assert weights / weights[0] == pytest.approx(enet(COUNTS) / enet(COUNTS)[0], rel=1e-3)
    assert (weights * COUNTS.sum(axis=0)).sum() / COUNTS.sum() == pytest.approx(1, rel=1e-3)


def test_losses_without_weights_of_their_own_get_them(report):
    losses = (OhemCrossEntropy(), Focal(), Dice(), CrossEntropy(class_weights=(1, 1, 9)))
    weighted = with_class_weights(recipe(class_weights=(1, 2, 3), losses=losses), report)
    assert weighted.losses == (
        OhemCrossEntropy(class_weights=(1, 2, 3)),
        Focal(alpha=(1, 2, 3)),
        Dice(),
        CrossEntropy(class_weights=(1, 1, 9)),
    )
