"""The recipe of a training: one YAML file, every value of which the command line can set (``--set path.to=value``)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from contract.durable import replace_file
from trainer.augmentation.operations import Operation, RecipeOperation, create_operation
from trainer.errors import UserError, one_line
from trainer.losses.cross_entropy import CrossEntropy
from trainer.losses.loss import Loss, PerClass
from trainer.losses.registry import CLASS_WEIGHTED, RecipeLoss
from trainer.recipe_values import Fraction, Strict, describe, to_recipe

RECIPES = Path(__file__).parents[1] / "recipes"

T = TypeVar("T")


class _MayChange:
    """Marks a value that a resumed training may change."""


# ``epochs: Resumable[int]``: a resumed training may change the value, since it changes nothing of what has been
# trained, or is what a training gone wrong is fixed with. All other values stay as they were.
Resumable = Annotated[T, _MayChange()]


def _default_augmentation() -> tuple[Operation, ...]:
    scale = create_operation("random_scale", range=(0.75, 1.5))
    return scale, create_operation("crop"), create_operation("flip"), create_operation("photometric")


class Data(Strict):
    """The data set, the input size in pixels, the batch size, and the augmentation of training images.

    Every image is stretched to the input size, as clients stretch it; ``augmentation`` starts from there. ``cache``
    keeps decoded images in memory: for sets that need only a small part of it.
    """

    path: Resumable[Path]
    input_height: int = Field(ge=32)
    input_width: int = Field(ge=32)
    batch_size: int = Field(8, ge=1)
    cache: Resumable[bool] = False
    augmentation: tuple[RecipeOperation, ...] = Field(default_factory=_default_augmentation)

    @field_validator("augmentation")
    @classmethod
    def _ends_at_input_size(cls, augmentation: tuple[Operation, ...]) -> tuple[Operation, ...]:
        is_canvas = True
        for operation in augmentation:
            if operation.name == "random_scale":
                is_canvas = False
            elif operation.name == "crop" and operation.probability == 1:
                is_canvas = True
        if not is_canvas:
            raise ValueError("random_scale changes the size: add crop after it, with probability 1")
        return augmentation


class Schedule(Strict):
    """From the learning rate down to ``end_factor`` times it: ``poly`` is (1 - done) ** power.

    ``cosine`` falls along half a cosine wave (arXiv 1608.03983, without restarts) and has no ``power``.
    """

    name: Literal["poly", "cosine"] = "poly"
    power: float = Field(0.9, gt=0)
    end_factor: Fraction = 0.0


class Optimizer(Strict):
    """``weight_decay`` skips biases and normalisation; ``clip_norm`` bounds the norm of all gradients together.

    ``momentum`` is SGD's. The learning rate rises linearly over the first ``warmup_steps``.
    """

    name: Literal["sgd", "adam", "adamw", "radam"] = "sgd"
    learning_rate: Resumable[float] = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    clip_norm: Resumable[float | None] = Field(None, gt=0)
    schedule: Schedule = Schedule()
    warmup_steps: int = Field(100, ge=0)


class StopEarly(Strict):
    """End after ``patience`` validations in a row without an improvement over the best before them."""

    patience: int = Field(20, ge=1)
    monitor: Literal["miou", "loss"] = "miou"


class Recipe(Strict):
    """Everything that decides how a network is trained."""

    network: str
    # Backbones of keras.applications: ImageNet's weights, downloaded once, or those in a file.
    pretrained: bool | Path = False
    # Initial weights: a run folder, a .keras file of ours, or a checkpoint by DDRNet's authors.
    weights: Path | None = None
    data: Data
    optimizer: Optimizer = Optimizer()
    # Summed, each times its weight; an auxiliary head has the same losses, all times auxiliary_weight.
    losses: tuple[RecipeLoss, ...] = (CrossEntropy(),)
    auxiliary_weight: float = Field(0.4, ge=0)
    # For every loss with a weight per class: from the training images' pixels (auto), or one per class in id order.
    class_weights: Literal["none", "auto"] | PerClass = "none"
    epochs: Resumable[int] = Field(ge=1)
    # Of the convolutions' arithmetic; weights, logits and losses stay float32.
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    # Micro-batches of data.batch_size whose gradients make one step.
    accumulate: int = Field(1, ge=1)
    # The decay of an exponential moving average of the weights, which is then what is validated and kept.
    average: float | None = Field(None, gt=0, lt=1)
    # In epochs; the last one is always validated.
    validate_every: Resumable[int] = Field(1, ge=1)
    early_stopping: Resumable[StopEarly | None] = None
    # The same recipe on the same machine gives the same weights, at some cost in speed.
    deterministic: bool = False
    seed: int = Field(0, ge=0, lt=2**32)

    @field_validator("losses")
    @classmethod
    def _some(cls, losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
        if not losses:
            raise ValueError("expected at least one, for instance [cross_entropy]")
        return losses

    @field_validator("class_weights", mode="wrap")
    @classmethod
    def _none_auto_or_numbers(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        try:
            return read(value)
        except ValidationError:  # every member of a union reports an error of its own
            raise ValueError(f"expected none, auto, or one weight per class, found {value!r}") from None

    @model_validator(mode="after")
    def _some_loss_takes_them(self) -> "Recipe":
        if self.class_weights != "none" and not any(loss.name in CLASS_WEIGHTED for loss in self.losses):
            raise ValueError(f"class_weights: none of the losses takes them; {', '.join(CLASS_WEIGHTED)} do")
        return self


def resumable_values(part: type[BaseModel] = Recipe) -> list[str]:
    """The values that a resumed training may change, as ``path.to.value``, sorted."""
    names = []
    for name, field in part.model_fields.items():
        if any(isinstance(mark, _MayChange) for mark in field.metadata):
            names.append(name)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += [f"{name}.{below}" for below in resumable_values(field.annotation)]
    return sorted(names)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``path.to=value`` overrides, their values read as YAML.

    Raises:
        UserError: no such file, no YAML, or a value that is missing, unknown or out of its range.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        known = sorted({*path.parent.glob("*.yaml"), *RECIPES.glob("*.yaml")})
        raise UserError(f"{path}: no such recipe; there are {', '.join(map(str, known))}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a recipe (see services/trainer/recipes), found {type(content).__name__}")
    for override in overrides:
        _override(content, override)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        where = f"{path} with {', '.join(overrides)}" if overrides else str(path)
        raise UserError(f"{where}: {describe(error, Recipe)}") from None


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe, in one step, as YAML that :func:`load_recipe` reads."""
    replace_file(path, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    *parents, last = key.split(".")
    if not equals or not last:
        raise _no_override(override)
    if parents[:1] == ["losses"]:
        content.setdefault("losses", [to_recipe(CrossEntropy())])
    if parents[:2] == ["data", "augmentation"] and isinstance(content.get("data"), dict):
        content["data"].setdefault("augmentation", [to_recipe(o) for o in _default_augmentation()])
    node: Any = content
    for parent in parents:
        holder = _holder(node, parent, override)
        if holder.get(parent) is None:
            holder[parent] = {}
        node = holder[parent]
    try:
        _holder(node, last, override)[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: {value!r} is not a YAML value ({one_line(error)})") from None


def _holder(node: Any, key: str, override: str) -> dict[str, Any]:
    """The mapping that has or gets ``key``: ``node`` itself, or in a list the entry of that name."""
    if isinstance(node, list):
        entries = [{entry: {}} if isinstance(entry, str) else entry for entry in node]
        node[:] = entries
        for entry in entries:
            if isinstance(entry, dict) and key in entry:
                return entry
        there = ", ".join(name for entry in entries if isinstance(entry, dict) for name in entry)
        raise UserError(
            f"--set {override}: the recipe's list has no {key!r}, only {there or 'none'}: add it to the recipe"
        )
    if not isinstance(node, dict):
        raise _no_override(override)
    return node


def _no_override(override: str) -> UserError:
    return UserError(f"--set {override}: expected path.to=value, for instance optimizer.learning_rate=0.005")
