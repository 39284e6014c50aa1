"""The run folder's README names the files that are there, and its commands exist."""

import re

import pytest

from trainer.commands.cli import main
from trainer.recipe import load_recipe
from trainer.training.readme import write_readme


@pytest.fixture
def readme(recipe_file, tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    write_readme(folder, load_recipe(recipe_file, ["average=0.99"]))
    return (folder / "README.md").read_text()


def test_it_says_what_was_trained(readme, dataset):
    assert "# my run\n" in readme
    assert "`ddrnet23_slim` at 64x96" in readme
    assert f"`{dataset.root}`" in readme
    assert "moving average of the weights (decay 0.99)" in readme


def test_its_commands_are_the_trainer_s_and_can_be_pasted(readme, capsys):
    commands = re.findall(r"python -m trainer (\w+) (.*)", readme)
    assert {command for command, _ in commands} == {"train", "evaluate", "predict", "export"}
    for command, arguments in commands:
        assert "my run'" in arguments
        with pytest.raises(SystemExit):
            main([command, "--help"])
        known = capsys.readouterr().out
        assert all(option in known for option in re.findall(r"--[a-z-]+", arguments)), command
