"""What an operation on an image-mask pair is, and all of them by name.

An operation is its options: a strict model that a recipe writes as ``{name: {option: value}}``.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny, ValidationError

from trainer.data.operations.view import View
from trainer.data.pair import Pair
from trainer.options import Fraction, Strict, describe

# Another labelled image, chosen with the generator that it is given.
Donors = Callable[[np.random.Generator], Pair]


class Operation(Strict):
    """Something that happens to a pair with a ``probability``; all its chance comes from the generator it is given."""

    name: ClassVar[str]
    probability: Fraction = 1.0

    def require(self) -> None:
        """Raise UserError when something that it needs is missing, before a long work begins."""


class Movement(Operation):
    """An operation that moves pixels; see :class:`View`."""

    @abc.abstractmethod
    def move(self, view: View, rng: np.random.Generator) -> View:
        """The view afterwards."""


class Change(Operation):
    """An operation that changes pixels where they are."""

    @abc.abstractmethod
    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The pair afterwards, of the same size; what it is given stays as it is."""


_REGISTRY: dict[str, type[Operation]] = {}
_Kind = TypeVar("_Kind", bound=type[Operation])


def register(name: str) -> Callable[[_Kind], _Kind]:
    """Decorate an operation to make it known to recipes by ``name``."""

    def decorate(kind: _Kind) -> _Kind:
        kind.name = name
        _REGISTRY[name] = kind
        return kind

    return decorate


def operation_names() -> list[str]:
    """Every registered operation."""
    return sorted(_REGISTRY)


def create_operation(name: str, **options: Any) -> Operation:
    """An operation by name.

    Raises:
        ValueError: no such operation or option, or a value out of its range; the message says what there is.
    """
    if name not in _REGISTRY:
        raise ValueError(f"there is no operation {name!r}: choose from {', '.join(operation_names())}")
    try:
        return _REGISTRY[name].model_validate(options)
    except ValidationError as error:
        raise ValueError(f"{name}: {describe(error, _REGISTRY[name])}") from None


def _from_recipe(entry: Any) -> Operation:
    if isinstance(entry, Operation):
        return entry
    if isinstance(entry, str):
        return create_operation(entry)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError(f"expected one operation and its options, for instance flip: {{}}, found {entry!r}")
    ((name, options),) = entry.items()
    if not isinstance(options, dict | None):
        raise ValueError(f"{name}: expected options, for instance {{probability: 0.5}}, found {options!r}")
    return create_operation(str(name), **{str(option): value for option, value in (options or {}).items()})


def operation_to_recipe(operation: Operation) -> dict[str, Any]:
    """``{name: {option: value}}``, every option written out."""
    return {operation.name: operation.model_dump(mode="json")}


# As a recipe writes it: ``flip``, or ``{flip: {horizontal: 0.5}}``.
RecipeOperation = Annotated[
    SerializeAsAny[Operation], BeforeValidator(_from_recipe), PlainSerializer(operation_to_recipe, return_type=dict)
]


def apply(
    operations: Sequence[Operation],
    pair: Pair,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    donors: Donors | None = None,
) -> Pair:
    """Stretch ``pair`` to ``size`` (height, width; by default its own) and let ``operations`` happen to it in turn.

    Returns:
        The pair, of that size as long as a crop follows every ``random_scale``. Its labels are the pair's own, the
        donors' and the ignore id. Depends on nothing but the arguments.
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
