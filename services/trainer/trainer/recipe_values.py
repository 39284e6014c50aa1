"""Strict models of recipe values, and their validation errors in one line."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError


class Strict(BaseModel):
    """A part of a recipe: immutable, without unknown names and infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Named(Strict):
    """An entry of a recipe's list, written as ``name`` or ``{name: {option: value}}``."""

    name: ClassVar[str]


_Kind = TypeVar("_Kind", bound=Named)


def create(kinds: Mapping[str, type[_Kind]], what: str, name: str, options: Mapping[str, Any]) -> _Kind:
    """Create an entry by name; ``what`` is the word for ``kinds`` in messages.

    Raises:
        ValueError: no such name or option, or a value out of range; the message lists the names.
    """
    if name not in kinds:
        raise ValueError(f"there is no {what} {name!r}: choose from {', '.join(sorted(kinds))}")
    try:
        return kinds[name].model_validate(dict(options))
    except ValidationError as error:
        raise ValueError(f"{name}: {describe(error, kinds[name])}") from None


def from_recipe(kinds: Mapping[str, type[_Kind]], what: str, entry: Any) -> _Kind:
    """Create an entry as written in a recipe.

    Raises:
        ValueError: as :func:`create`, or it has neither of the two forms.
    """
    if isinstance(entry, Named):
        return cast(_Kind, entry)
    if isinstance(entry, str):
        return create(kinds, what, entry, {})
    example = next(iter(kinds))
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError(f"expected one {what} and its options, for instance {example}: {{}}, found {entry!r}")
    ((name, options),) = entry.items()
    if not isinstance(options, dict | None):
        raise ValueError(f"{name}: expected options, for instance {{}}, found {options!r}")
    return create(kinds, what, str(name), {str(option): value for option, value in (options or {}).items()})


def to_recipe(entry: Named) -> dict[str, Any]:
    """``{name: {option: value}}`` with every option."""
    return {entry.name: entry.model_dump(mode="json")}


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"from {bounds[0]} to {bounds[1]}: expected the smaller one first")
    return bounds


Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Every problem of ``error``, raised by validating a ``model``, in one line."""
    return "; ".join(_problems(error, model))


def _problems(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    for problem in error.errors():
        location = problem["loc"]  # empty if values are inconsistent
        message, part = problem["msg"].removeprefix("Value error, "), _part(model, location[:-1])
        if message.startswith("Extra inputs") and part is not None:
            message = f"unknown value; known: {', '.join(part.model_fields)}"
        yield f"{'.'.join(map(str, location))}: {message}" if location else message


def _part(model: Any, parents: tuple[int | str, ...]) -> type[BaseModel] | None:
    for parent in parents:
        fields = getattr(model, "model_fields", {})
        model = fields[parent].annotation if parent in fields else None
        model = next((kind for kind in get_args(model) if hasattr(kind, "model_fields")), model)  # of X | None, X
    return model if hasattr(model, "model_fields") else None
