"""Operations on image-mask pairs, and their registry by name.

An operation is a strict model of its options, which a recipe writes as ``{name: {option: value}}``.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny

from trainer.augmentation.operations.view import View
from trainer.datasets.pair import Pair
from trainer.recipe_values import Fraction, Named, create, from_recipe, to_recipe

# Returns another labelled image, chosen with the given generator.
Donors = Callable[[np.random.Generator], Pair]


class Operation(Named):
    """A change of a pair with a ``probability``; all its randomness comes from the given generator."""

    probability: Fraction = 1.0

    def require(self) -> None:
        """Raise UserError if something that it needs is missing; called before the first pair."""


class Movement(Operation):
    """An operation that moves pixels; see :class:`View`."""

    @abc.abstractmethod
    def move(self, view: View, rng: np.random.Generator) -> View:
        """The moved view."""


class Change(Operation):
    """An operation that changes pixels where they are."""

    @abc.abstractmethod
    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The changed pair, of the same size; the given one is not modified."""


_REGISTRY: dict[str, type[Operation]] = {}
_Kind = TypeVar("_Kind", bound=type[Operation])


def register(name: str) -> Callable[[_Kind], _Kind]:
    """Register an operation under ``name``, for recipes."""

    def decorate(kind: _Kind) -> _Kind:
        kind.name = name
        _REGISTRY[name] = kind
        return kind

    return decorate


def operation_names() -> list[str]:
    """Every registered operation."""
    return sorted(_REGISTRY)


def create_operation(name: str, **options: Any) -> Operation:
    """Create an operation by name; raises ValueError as :func:`trainer.recipe_values.create`."""
    return create(_REGISTRY, "operation", name, options)


# As in a recipe: ``flip``, or ``{flip: {horizontal: 0.5}}``.
RecipeOperation = Annotated[
    SerializeAsAny[Operation],
    BeforeValidator(lambda entry: from_recipe(_REGISTRY, "operation", entry)),
    PlainSerializer(to_recipe, return_type=dict),
]


def apply(
    operations: Sequence[Operation],
    pair: Pair,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    donors: Donors | None = None,
) -> Pair:
    """Stretch ``pair`` to ``size`` (height, width; by default its own) and apply ``operations`` in order.

    Returns:
        The pair, of that size if a crop follows every ``random_scale``. Its labels are the pair's, the donors' and the
        ignore id. The result depends on the arguments only.
    """
    canvas = size or (pair.mask.shape[0], pair.mask.shape[1])
    view = View.of(pair, *canvas)
    for operation in operations:
        if operation.probability < 1 and rng.random() >= operation.probability:
            continue
        if isinstance(operation, Movement):
            view = operation.move(view, rng)
        elif isinstance(operation, Change):
            view = View.of(operation.change(view.draw(), rng, donors), view.height, view.width)
    return view.draw()


def example_generator(seed: int, epoch: int, item: int) -> np.random.Generator:
    """The random generator of one example: Philox (Salmon et al. 2011), whose streams are numbered, not drawn."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, item]))
