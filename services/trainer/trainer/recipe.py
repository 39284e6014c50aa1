"""The recipe of a training: one YAML file, every value of which the shell can set too (``--set path.to=value``)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator
from pydantic_core import ErrorDetails

from trainer.errors import UserError
from trainer.losses.options import AnyLoss, CrossEntropy

RECIPES = Path(__file__).parents[1] / "recipes"

Fraction = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(_Strict):
    """What happens to a training image; labels follow by nearest neighbour, pixels from outside become ignored."""

    flip: bool = True
    scale: tuple[PositiveFloat, PositiveFloat] = (0.75, 1.5)
    brightness: Fraction = 0.2
    contrast: Fraction = 0.2
    saturation: Fraction = 0.2

    @field_validator("scale")
    @classmethod
    def _ascending(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError(f"from {scale[0]} to {scale[1]}: expected the smaller factor first")
        return scale


class Data(_Strict):
    """Which images, at what size (pixels), in batches of how many."""

    path: Path
    input_height: int = Field(ge=32)
    input_width: int = Field(ge=32)
    batch_size: int = Field(8, ge=1)
    augmentation: Augmentation = Augmentation()


class Optimizer(_Strict):
    """Poly decay per iteration after a linear warm-up; weight decay skips biases and normalisation."""

    name: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.01, gt=0)
    momentum: Fraction = 0.9
    weight_decay: float = Field(5e-4, ge=0)
    poly_power: float = Field(0.9, gt=0)
    warmup_steps: int = Field(100, ge=0)


class Recipe(_Strict):
    """Everything that decides how a network is trained."""

    network: str
    data: Data
    optimizer: Optimizer = Optimizer()
    # Summed, each times its weight; an auxiliary head has the same ones, all times auxiliary_weight.
    losses: tuple[AnyLoss, ...] = (CrossEntropy(),)
    auxiliary_weight: float = Field(0.4, ge=0)
    epochs: int = Field(ge=1)
    seed: int = 0

    @field_validator("losses")
    @classmethod
    def _some(cls, losses: tuple[AnyLoss, ...]) -> tuple[AnyLoss, ...]:
        if not losses:
            raise ValueError("expected at least one, for instance [{name: cross_entropy}]")
        return losses


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``path.to=value`` overrides, their values read as YAML.

    Raises:
        UserError: no such file, no YAML, or a value that is missing, unknown or out of its range.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        known = sorted({*path.parent.glob("*.yaml"), *RECIPES.glob("*.yaml")})
        raise UserError(f"there is no recipe {path}: the recipes there are: {', '.join(map(str, known))}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {_one_line(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a recipe (see services/trainer/recipes), found {type(content).__name__}")
    for override in overrides:
        _override(content, override)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        where = f"{path} with {', '.join(overrides)}" if overrides else str(path)
        raise UserError(f"{where}: {'; '.join(_problem(e) for e in error.errors())}") from None


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as YAML that :func:`load_recipe` reads."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    *parents, last = key.split(".")
    node: Any = content
    for parent in parents:
        node = node.setdefault(parent, {}) if isinstance(node, dict) else None
    if not equals or not last or not isinstance(node, dict):
        raise UserError(f"--set {override}: expected path.to=value, for instance optimizer.learning_rate=0.005")
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: {value!r} is not a YAML value ({_one_line(error)})") from None


def _problem(error: ErrorDetails) -> str:
    message, context = error["msg"].removeprefix("Value error, "), error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            message = f"there is no such value; there are {', '.join(_model_at(error['loc'][:-1]).model_fields)}"
        case "union_tag_invalid":
            message = f"there is no {context['tag']!r}; choose one of {context['expected_tags'].replace(chr(39), '')}"
        case "union_tag_not_found":
            message = f"{context['discriminator'].strip(chr(39))} is missing: it says which one is meant"
    return f"{'.'.join(map(str, error['loc']))}: {message}"


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model an error's location leads to: by its fields' names, list positions and, in a union, members' names."""
    models: list[type[BaseModel]] = [Recipe]
    for step in location:
        if step in models[0].model_fields:
            models = _models_in(models[0].model_fields[str(step)].annotation)
        elif isinstance(step, str):
            models = [model for model in models if model.model_fields["name"].default == step]
    return models[0]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _one_line(error: Exception) -> str:
    """A YAML error spans several lines and draws a picture."""
    return " ".join(str(error).split())
