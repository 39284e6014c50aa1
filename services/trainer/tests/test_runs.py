"""The run folder of a training."""

import csv
import json
import re

import keras
import pytest

from trainer.commands.cli import main
from trainer.errors import UserError
from trainer.recipe import load_recipe
from trainer.runs import RunFolder


def test_run_folder_has_recipe_facts_metrics_and_weights(run):
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


def test_recipe_and_facts_are_those_of_the_training(run, dataset, recipe_file):
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


def test_weights_are_the_recipe_s_network(run):
    model = keras.models.load_model(run.weights, compile=False)
    assert model.name == "ddrnet23_slim"
    assert model.input.shape == (None, 64, 96, 3)
    assert {name: output.shape for name, output in model.output.items()} == {
        "logits": (None, 8, 12, 5),
        "auxiliary": (None, 8, 12, 5),
    }


@pytest.mark.parametrize("missing", ["best.keras", "run.json"])
def test_folder_without_a_trained_network_is_a_user_error(tmp_path, missing):
    for name in {"recipe.yaml", "best.keras", "run.json"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"holds no trained network .*`segstack train`"):
        RunFolder(tmp_path).load()


@pytest.fixture
def readme(recipe_file, tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    run = RunFolder(folder)
    run.write_readme(load_recipe(recipe_file, ["average=0.99"]))
    return run.readme.read_text()


def test_readme_names_network_and_data(readme, dataset):
    assert "# my run\n" in readme
    assert "`ddrnet23_slim` at 64x96" in readme
    assert f"`{dataset.root}`" in readme
    assert "moving average of the weights (decay 0.99)" in readme


def test_readme_commands_exist_with_their_options(readme, capsys):
    commands = re.findall(r"segstack (\w+) (.*)", readme)
    assert {command for command, _ in commands} == {"train", "evaluate", "predict", "export"}
    for command, arguments in commands:
        assert "my run'" in arguments
        with pytest.raises(SystemExit):
            main([command, "--help"])
        known = capsys.readouterr().out
        assert all(option in known for option in re.findall(r"--[a-z-]+", arguments)), command


def test_readme_of_a_run_in_a_container_has_the_commands_of_its_host(tmp_path, recipe_file, monkeypatch):
    monkeypatch.setenv("SEGSTACK_COMMAND", "scripts/run.sh")
    run = RunFolder(tmp_path)
    run.write_readme(load_recipe(recipe_file))
    readme = run.readme.read_text()
    assert f"\nscripts/run.sh train --resume {tmp_path} " in readme
    assert "segstack" not in readme
    assert "activate" not in readme
