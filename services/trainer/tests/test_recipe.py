"""The recipe: what a YAML file may say, and the shell in its place."""

from pathlib import Path

import pytest

from trainer.errors import UserError
from trainer.losses.options import Dice, Focal
from trainer.recipe import RECIPES, load_recipe, save_recipe

SHORTEST = """
network: ddrnet23_slim
data: {path: data/drawn, input_height: 192, input_width: 256}
epochs: 8
"""


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(SHORTEST)
    return path


def refusal(path, *overrides):
    with pytest.raises(UserError) as refused:
        load_recipe(path, overrides)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_what_is_not_said_has_a_default(recipe_file):
    recipe = load_recipe(recipe_file)
    assert (recipe.network, recipe.epochs, recipe.auxiliary_weight, recipe.seed) == ("ddrnet23_slim", 8, 0.4, 0)
    assert (recipe.data.path, recipe.data.input_height, recipe.data.input_width) == (Path("data/drawn"), 192, 256)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate, recipe.optimizer.poly_power) == ("sgd", 0.01, 0.9)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("recipes/*.yaml")), ids=lambda p: p.name)
def test_the_recipes_that_come_with_the_trainer_load(path):
    load_recipe(path)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("epochs=20", lambda r: r.epochs == 20),
        ("optimizer.learning_rate=5e-3", lambda r: r.optimizer.learning_rate == 0.005),
        ("optimizer.name=adamw", lambda r: r.optimizer.name == "adamw"),
        ("data.path=/data/a b=c", lambda r: r.data.path == Path("/data/a b=c")),
        ("data.augmentation.flip=false", lambda r: r.data.augmentation.flip is False),
        ("data.augmentation.scale=[1, 1]", lambda r: r.data.augmentation.scale == (1, 1)),
        (
            "losses=[{name: focal, gamma: 3}, {name: dice, weight: 0.5}]",
            lambda r: r.losses == (Focal(gamma=3), Dice(weight=0.5)),
        ),
        (
            "data.augmentation={flip: no}",
            lambda r: not r.data.augmentation.flip and r.data.augmentation.contrast == 0.2,
        ),
    ],
)
def test_the_shell_can_set_every_value(recipe_file, override, read):
    assert read(load_recipe(recipe_file, [override]))


def test_the_last_override_counts(recipe_file):
    assert load_recipe(recipe_file, ["epochs=3", "epochs=4"]).epochs == 4


def test_a_saved_recipe_is_read_back_the_same(recipe_file, tmp_path):
    recipe = load_recipe(recipe_file, ["data.augmentation.scale=[0.5, 2]", "optimizer.weight_decay=0"])
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(tmp_path / "saved.yaml") == recipe


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epochs=0", "epochs: Input should be greater than or equal to 1"),
        ("epochs=many", "epochs: Input should be a valid integer"),
        ("epochs=", "epochs: Input should be a valid integer"),
        (
            "epoch=3",
            "epoch: there is no such value; there are network, data, optimizer, losses, auxiliary_weight, epochs,",
        ),
        ("losses=[]", "losses: expected at least one, for instance [{name: cross_entropy}]"),
        (
            "losses=[{name: hinge}]",
            "losses.0: there is no 'hinge'; choose one of cross_entropy, ohem_cross_entropy, focal",
        ),
        (
            "losses=[{name: dice, gamma: 2}]",
            "losses.0.dice.gamma: there is no such value; there are weight, name, smooth",
        ),
        (
            "losses=[{name: boundary, tolerance: 4}]",
            "losses.0.boundary.tolerance: 4 is even: expected an odd number of pixels",
        ),
        ("optimizer.name=lion", "optimizer.name: Input should be 'sgd' or 'adamw'"),
        ("optimizer.learning_rate=0", "optimizer.learning_rate: Input should be greater than 0"),
        ("optimizer.learning_rate=.nan", "optimizer.learning_rate: Input should be greater than 0"),
        ("optimizer.momentum=1.1", "optimizer.momentum: Input should be less than or equal to 1"),
        ("data.batch_size=0", "data.batch_size: Input should be greater than or equal to 1"),
        ("data.input_width=31", "data.input_width: Input should be greater than or equal to 32"),
        ("data.augmentation.brightness=2", "data.augmentation.brightness: Input should be less than or equal to 1"),
        ("data.augmentation.scale=[1]", "data.augmentation.scale.1: Field required"),
        ("data.augmentation.scale=[0, 1]", "data.augmentation.scale.0: Input should be greater than 0"),
        ("data.augmentation.scale=[2, 1]", "scale: from 2.0 to 1.0: expected the smaller factor first"),
        ("data=drawn", "data: Input should be"),
        ("epochs", "--set epochs: expected path.to=value"),
        ("=3", "--set =3: expected path.to=value"),
        ("epochs.first=3", "--set epochs.first=3: expected path.to=value"),
        ("epochs=[3", "--set epochs=[3: '[3' is not a YAML value"),
    ],
)
def test_a_bad_value_is_named_in_one_line(recipe_file, override, said):
    assert said in refusal(recipe_file, override)


def test_every_bad_value_is_named_at_once(recipe_file):
    message = refusal(recipe_file, "epochs=0", "optimizer.learning_rate=-1", "sede=1")
    assert all(name in message for name in ("epochs", "optimizer.learning_rate", "sede", str(recipe_file)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"network: ddrnet23_slim\n", "data: Field required; epochs: Field required"),
        (b"", "expected a recipe (see services/trainer/recipes), found NoneType"),
        (b"- epochs", "found list"),
        (b"epochs: [1", "is not YAML"),
        (b"\x89PNG\r\n\x1a\n\xff", "is not YAML"),
    ],
)
def test_what_is_no_recipe_is_named(tmp_path, content, said):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    message = refusal(path)
    assert said in message
    assert str(path) in message


def test_a_recipe_that_is_not_there_is_answered_with_those_that_are(recipe_file):
    assert f"{recipe_file}" in refusal(recipe_file.with_name("demo.yml"))
    assert str(RECIPES / "demo.yaml") in refusal(Path("nowhere/demo.yaml"))


def test_a_folder_is_no_recipe(tmp_path):
    assert "there is no recipe" in refusal(tmp_path)
