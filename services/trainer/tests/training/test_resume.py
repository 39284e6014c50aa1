"""What a resumed training may change of its recipe, and what it says of it."""

import pytest

from trainer.errors import UserError
from trainer.recipe import save_recipe
from trainer.training.resume import CHANGEABLE, resumed_recipe


@pytest.fixture
def stopped(tiny_recipe, tmp_path):
    save_recipe(tiny_recipe("epochs=5"), tmp_path / "recipe.yaml")
    return tmp_path


def test_everything_is_taken_from_the_run(stopped, tiny_recipe):
    assert resumed_recipe(stopped) == (tiny_recipe("epochs=5"), [])


def test_what_may_change_is_told(stopped):
    recipe, changes = resumed_recipe(stopped, ["epochs=8", "optimizer.clip_norm=1", "early_stopping.patience=3"])
    assert (recipe.epochs, recipe.optimizer.clip_norm) == (8, 1)
    assert changes == [
        "optimizer.clip_norm was None, is 1.0",
        "epochs was 5, is 8",
        "early_stopping was None, is {'patience': 3, 'monitor': 'miou'}",
    ]


@pytest.mark.parametrize("override", ["seed=3", "data.batch_size=2", "optimizer.name=adamw", "losses=[dice]"])
def test_anything_else_is_refused(stopped, override):
    name = override.partition("=")[0]
    with pytest.raises(UserError, match=f"--set {name}.*: a resumed training keeps it; what may change is data"):
        resumed_recipe(stopped, [override])


def test_a_training_is_not_shortened(stopped):
    with pytest.raises(UserError, match="the run has 5; it can go on for longer, not for less"):
        resumed_recipe(stopped, ["epochs=3"])


def test_what_may_change_is_in_every_recipe(tiny_recipe):
    content = tiny_recipe().model_dump()
    for name in CHANGEABLE:
        part = content
        for key in name.split("."):
            part = part[key]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"is no run folder: it has no recipe\.yaml"):
        resumed_recipe(tmp_path)
