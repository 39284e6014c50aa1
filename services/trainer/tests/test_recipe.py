"""The recipe: a YAML file, and overrides on the command line."""

from pathlib import Path

import pytest

from trainer.errors import UserError
from trainer.losses.cross_entropy import CrossEntropy, Focal, OhemCrossEntropy
from trainer.losses.overlap import Dice
from trainer.recipe import RECIPES, StopEarly, load_recipe, save_recipe

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


def operation(recipe, name):
    return next(o for o in recipe.data.augmentation if o.name == name)


def test_missing_values_have_defaults(recipe_file):
    recipe = load_recipe(recipe_file)
    assert (recipe.network, recipe.epochs, recipe.auxiliary_weight, recipe.seed) == ("ddrnet23_slim", 8, 0.4, 0)
    assert (recipe.data.path, recipe.data.input_height, recipe.data.input_width) == (Path("data/drawn"), 192, 256)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("sgd", 0.01)
    assert (recipe.optimizer.schedule.name, recipe.optimizer.schedule.power) == ("poly", 0.9)
    assert (recipe.precision, recipe.average, recipe.accumulate, recipe.early_stopping) == ("float32", None, 1, None)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("recipes/*.yaml")), ids=lambda p: p.name)
def test_the_trainer_s_recipes_load(path):
    load_recipe(path)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("epochs=20", lambda r: r.epochs == 20),
        ("optimizer.learning_rate=5e-3", lambda r: r.optimizer.learning_rate == 0.005),
        ("optimizer.name=adamw", lambda r: r.optimizer.name == "adamw"),
        ("data.path=/data/a b=c", lambda r: r.data.path == Path("/data/a b=c")),
        ("data.augmentation.flip.horizontal=0", lambda r: operation(r, "flip").horizontal == 0),
        ("data.augmentation.random_scale.range=[1, 1]", lambda r: operation(r, "random_scale").range == (1, 1)),
        ("data.augmentation.photometric={hue: 0.1}", lambda r: operation(r, "photometric").hue == 0.1),
        ("data.augmentation=[]", lambda r: r.data.augmentation == ()),
        ("data.augmentation=[flip, {rotate: }]", lambda r: [o.name for o in r.data.augmentation] == ["flip", "rotate"]),
        (
            "losses=[{focal: {gamma: 3}}, {dice: {weight: 0.5}}]",
            lambda r: r.losses == (Focal(gamma=3), Dice(weight=0.5)),
        ),
        ("pretrained=true", lambda r: r.pretrained is True),
        ("pretrained=weights/b0.h5", lambda r: r.pretrained == Path("weights/b0.h5")),
        ("weights=runs/first", lambda r: r.weights == Path("runs/first")),
        ("optimizer.schedule={name: cosine, end_factor: 0.01}", lambda r: r.optimizer.schedule.end_factor == 0.01),
        ("optimizer.clip_norm=1", lambda r: r.optimizer.clip_norm == 1),
        ("early_stopping.patience=5", lambda r: r.early_stopping == StopEarly(patience=5, monitor="miou")),
        ("class_weights=auto", lambda r: r.class_weights == "auto"),
        ("class_weights=[1, 2.5]", lambda r: r.class_weights == (1, 2.5)),
        ("precision=mixed_bfloat16", lambda r: r.precision == "mixed_bfloat16"),
        ("average=0.999", lambda r: r.average == 0.999),
        ("losses=[ohem_cross_entropy]", lambda r: r.losses == (OhemCrossEntropy(),)),
        ("losses.cross_entropy.label_smoothing=0.1", lambda r: r.losses == (CrossEntropy(label_smoothing=0.1),)),
    ],
)
def test_every_value_can_be_overridden(recipe_file, override, read):
    assert read(load_recipe(recipe_file, [override]))


def test_one_operation_of_the_list_can_be_overridden(recipe_file):
    recipe_file.write_text(SHORTEST.replace("256}", "256, augmentation: [shift, {flip: }, {blur: {sigma: [1, 2]}}]}"))
    recipe = load_recipe(recipe_file, ["data.augmentation.shift.fraction=0.3", "data.augmentation.flip.vertical=1"])
    assert [o.name for o in recipe.data.augmentation] == ["shift", "flip", "blur"]
    assert (operation(recipe, "shift").fraction, operation(recipe, "flip").vertical) == (0.3, 1)
    assert operation(recipe, "blur").sigma == (1, 2)


def test_last_override_wins(recipe_file):
    assert load_recipe(recipe_file, ["epochs=3", "epochs=4"]).epochs == 4


def test_saved_recipe_loads_as_it_was(recipe_file, tmp_path):
    recipe = load_recipe(recipe_file, ["data.augmentation.random_scale.range=[0.5, 2]", "class_weights=[1, 2]"])
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(tmp_path / "saved.yaml") == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=0", "epochs: Input should be greater than or equal to 1"),
        ("epochs=many", "epochs: Input should be a valid integer"),
        ("epochs=", "epochs: Input should be a valid integer"),
        (
            "epoch=3",
            "epoch: unknown value; known: network, pretrained, weights, data, optimizer, losses,",
        ),
        ("pretrained=2", "pretrained"),
        ("losses=[]", "losses: expected at least one, for instance [cross_entropy]"),
        (
            "losses=[hinge]",
            "losses.0: there is no loss 'hinge': choose from binary_cross_entropy, binary_focal,",
        ),
        ("losses=[{dice: {gamma: 2}}]", "losses.0: dice: gamma: unknown value; known: weight, smooth"),
        ("losses=[{boundary: {tolerance: 4}}]", "boundary: tolerance: 4 is even: expected an odd number of pixels"),
        ("losses.dice.weight=2", "the recipe's list has no 'dice', only cross_entropy: add it to the recipe"),
        ("optimizer.name=lion", "optimizer.name: Input should be 'sgd', 'adam', 'adamw' or 'radam'"),
        ("optimizer.learning_rate=0", "optimizer.learning_rate: Input should be greater than 0"),
        ("optimizer.learning_rate=.nan", "optimizer.learning_rate: Input should be a finite number"),
        ("optimizer.learning_rate=.inf", "optimizer.learning_rate: Input should be a finite number"),
        ("optimizer.momentum=1", "optimizer.momentum: Input should be less than 1"),
        ("optimizer.poly_power=1", "known: name, learning_rate, momentum, weight_decay, clip_norm, schedule"),
        ("average=1", "average: Input should be less than 1"),
        ("early_stopping.patient=1", "early_stopping.patient: unknown value; known: patience, monitor"),
        ("class_weights=some", "class_weights: expected none, auto, or one weight per class, found 'some'"),
        ("class_weights=[1, -1]", "class_weights: expected none, auto, or one weight per class, found [1, -1]"),
        ("data.batch_size=0", "data.batch_size: Input should be greater than or equal to 1"),
        ("data.input_width=31", "data.input_width: Input should be greater than or equal to 32"),
        ("data.augmentation=[turn]", "there is no operation 'turn': choose from blur, copy_paste, crop, cutout, flip"),
        ("data.augmentation=[{flip: {p: 1}}]", "flip: p: unknown value; known: probability, horizontal,"),
        ("data.augmentation=[{flip: 1}]", "flip: expected options, for instance {}, found 1"),
        ("data.augmentation=[{flip: , shift: }]", "expected one operation and its options, for instance "),
        ("data.augmentation.rotate.degrees=3", "has no 'rotate', only random_scale, crop, flip, photometric"),
        ("data.augmentation.photometric.brightness=2", "photometric: brightness: Input should be less than or equal"),
        ("data.augmentation.random_scale.range=[1]", "random_scale: range.1: Field required"),
        ("data.augmentation.random_scale.range=[0, 1]", "random_scale: range.0: Input should be greater than 0"),
        ("data.augmentation.random_scale.range=[2, 1]", "from 2.0 to 1.0: expected the smaller one first"),
        ("data.augmentation=[random_scale]", "random_scale changes the size: add crop after it"),
        ("data.augmentation.crop.probability=0.5", "random_scale changes the size: add crop after it"),
        ("data=drawn", "data: Input should be"),
        ("epochs", "--set epochs: expected path.to=value"),
        ("=3", "--set =3: expected path.to=value"),
        ("epochs.first=3", "--set epochs.first=3: expected path.to=value"),
        ("epochs=[3", "--set epochs=[3: '[3' is not a YAML value"),
    ],
)
def test_invalid_value_is_named_in_one_line(recipe_file, override, message):
    assert message in refusal(recipe_file, override)


def test_class_weights_without_a_loss_that_takes_them_are_a_user_error(recipe_file):
    message = refusal(recipe_file, "losses=[dice]", "class_weights=auto")
    assert "class_weights: none of the losses takes them; cross_entropy, ohem_cross_entropy, focal do" in message


def test_all_invalid_values_are_named_at_once(recipe_file):
    message = refusal(recipe_file, "epochs=0", "optimizer.learning_rate=-1", "sede=1")
    assert all(name in message for name in ("epochs", "optimizer.learning_rate", "sede", str(recipe_file)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"network: ddrnet23_slim\n", "data: Field required; epochs: Field required"),
        (b"", "expected a recipe (see services/trainer/recipes), found NoneType"),
        (b"- epochs", "found list"),
        (b"epochs: [1", "is not YAML"),
        (b"\x89PNG\r\n\x1a\n\xff", "is not YAML"),
    ],
)
def test_file_that_is_no_recipe_is_a_user_error(tmp_path, content, expected):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    message = refusal(path)
    assert expected in message
    assert str(path) in message


def test_missing_recipe_lists_the_existing_ones(recipe_file):
    assert f"{recipe_file}" in refusal(recipe_file.with_name("demo.yml"))
    assert str(RECIPES / "demo.yaml") in refusal(Path("nowhere/demo.yaml"))


def test_folder_is_a_user_error(tmp_path):
    assert "no such recipe" in refusal(tmp_path)
