"""Which recipe values a resumed training may change."""

import pytest

from trainer.errors import UserError
from trainer.recipe import resumable_values
from trainer.runs import RunFolder
from trainer.training.resume import resumed_recipe


@pytest.fixture
def stopped(tiny_recipe, tmp_path):
    run = RunFolder(tmp_path)
    run.save_recipe(tiny_recipe("epochs=5"))
    return run


def test_recipe_is_that_of_the_run(stopped, tiny_recipe):
    assert resumed_recipe(stopped) == (tiny_recipe("epochs=5"), [])


def test_changes_are_listed(stopped):
    recipe, changes = resumed_recipe(stopped, ["epochs=8", "optimizer.clip_norm=1", "early_stopping.patience=3"])
    assert (recipe.epochs, recipe.optimizer.clip_norm) == (8, 1)
    assert changes == [
        "optimizer.clip_norm was None, is 1.0",
        "epochs was 5, is 8",
        "early_stopping was None, is {'patience': 3, 'monitor': 'miou'}",
    ]


@pytest.mark.parametrize("override", ["seed=3", "data.batch_size=2", "optimizer.name=adamw", "losses=[dice]"])
def test_other_changes_are_user_errors(stopped, override):
    name = override.partition("=")[0]
    with pytest.raises(UserError, match=f"--set {name}.*: a resumed training keeps it; what may change is data"):
        resumed_recipe(stopped, [override])


def test_fewer_epochs_are_a_user_error(stopped):
    with pytest.raises(UserError, match="the run has 5; resuming can lengthen it, not shorten it"):
        resumed_recipe(stopped, ["epochs=3"])


def test_resumable_values_are_those_that_do_not_change_what_is_trained():
    assert resumable_values() == [
        "data.cache",
        "data.path",
        "early_stopping",
        "epochs",
        "optimizer.clip_norm",
        "optimizer.learning_rate",
        "validate_every",
    ]


def test_folder_that_is_no_run_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"is not a run folder: it has no recipe\.yaml"):
        resumed_recipe(RunFolder(tmp_path))
