"""What a person may write in a recipe: strict models, and their mistakes in one line."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError


class Strict(BaseModel):
    """A part of a recipe: unknown names are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"from {bounds[0]} to {bounds[1]}: expected the smaller one first")
    return bounds


Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Every problem of ``error``, met while reading a ``model``, in one line."""
    return "; ".join(_problems(error, model))


def _problems(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    for problem in error.errors():
        *parents, _value = location = problem["loc"]
        message, part = problem["msg"], _part(model, parents)
        if message.startswith("Extra inputs") and part is not None:
            message = f"there is no such value; there are {', '.join(part.model_fields)}"
        yield f"{'.'.join(map(str, location))}: {message}"


def _part(model: Any, parents: list[int | str]) -> type[BaseModel] | None:
    for parent in parents:
        fields = getattr(model, "model_fields", {})
        model = fields[parent].annotation if parent in fields else None
    return model if hasattr(model, "model_fields") else None
