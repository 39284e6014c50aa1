"""Validation errors of recipe values, in one line."""

import pytest
from pydantic import ValidationError

from trainer.recipe_values import Fraction, PositiveRange, Strict, describe


class Inner(Strict):
    share: Fraction = 0.5
    scale: PositiveRange = (1, 2)


class Outer(Strict):
    name: str
    inner: Inner = Inner()
    other: Inner | None = None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "name: Field required"),
        ({"name": "a", "nmae": "b"}, "nmae: unknown value; known: name, inner, other"),
        ({"name": "a", "other": {"shar": 1}}, "other.shar: unknown value; known: share, scale"),
        ({"name": "a", "inner": {"shar": 1}}, "inner.shar: unknown value; known: share, scale"),
        ({"name": "a", "inner": {"share": 2}}, "inner.share: Input should be less than or equal to 1"),
        (
            {"name": "a", "inner": {"scale": [2, 1]}},
            "inner.scale: from 2.0 to 1.0: expected the smaller one first",
        ),
        ({"inner": {"share": -1}}, "name: Field required; inner.share: Input should be greater than or equal to 0"),
    ],
)
def test_every_problem_is_in_one_line(content, message):
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate(content)
    assert describe(refused.value, Outer) == message


def test_values_are_immutable():
    with pytest.raises(ValidationError, match="frozen"):
        Inner().share = 1
