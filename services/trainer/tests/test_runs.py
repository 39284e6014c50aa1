"""A run folder: what a training leaves."""

import csv
import json

import keras
import pytest

from trainer.errors import UserError
from trainer.recipe import load_recipe
from trainer.runs import load_run


def test_it_holds_recipe_facts_metrics_and_weights(run):
    assert {p.name for p in run.folder.iterdir()} == {
        "README.md",
        "best.keras",
        "best_loss.keras",
        "last.keras",
        "metrics.csv",
        "recipe.yaml",
        "run.json",
        "state",
        "tensorboard",
    }


def test_it_says_what_was_trained_on_what(run, dataset, recipe_file):
    assert run.recipe == load_recipe(recipe_file)
    assert run.classes == dataset.classes
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["best_epoch"] == 1
    assert facts["data"]["images"]["train"] == len(dataset.split("train"))
    assert facts["versions"]["keras"] == keras.__version__


def test_metrics_have_a_line_an_epoch(run):
    with (run.folder / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["1"]
    facts = json.loads((run.folder / "run.json").read_text())
    assert float(lines[0]["validation_miou"]) == pytest.approx(facts["validation_miou"], abs=1e-5)
    assert 0 < float(lines[0]["loss"]) < 10


def test_the_weights_are_the_recipe_s_network(run):
    model = keras.models.load_model(run.weights, compile=False)
    assert model.name == "ddrnet23_slim"
    assert model.input.shape == (None, 64, 96, 3)
    assert {name: output.shape for name, output in model.output.items()} == {
        "logits": (None, 8, 12, 5),
        "auxiliary": (None, 8, 12, 5),
    }


@pytest.mark.parametrize("missing", ["best.keras", "run.json"])
def test_a_folder_without_a_trained_network_is_refused(tmp_path, missing):
    for name in {"recipe.yaml", "best.keras", "run.json"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"holds no trained network .* run `trainer train` first"):
        load_run(tmp_path)
