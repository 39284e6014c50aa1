"""Networks by name. A network's file registers its builders; nothing else needs to know the file."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras

Builder = Callable[[int, int, int, bool], keras.Model]


@dataclass(frozen=True)
class _Entry:
    build: Builder
    multiple_of: int


_REGISTRY: dict[str, _Entry] = {}


def register(name: str, multiple_of: int) -> Callable[[Builder], Builder]:
    """Decorate a builder ``(height, width, classes, auxiliary) -> keras.Model`` to make it known by ``name``."""

    def decorate(build: Builder) -> Builder:
        _REGISTRY[name] = _Entry(build, multiple_of)
        return build

    return decorate


def model_names() -> list[str]:
    """Every registered network."""
    return sorted(_REGISTRY)


def create_model(name: str, height: int, width: int, classes: int, auxiliary: bool = False) -> keras.Model:
    """Build a network with fresh weights.

    Returns:
        A model from float32 [N, height, width, 3], RGB normalised as :mod:`trainer.preprocessing` does, to
        ``{"logits": float32 [N, height / s, width / s, classes]}`` with s the network's output stride, and
        ``"auxiliary"``, of the same kind, when asked for.

    Raises:
        ValueError: no such network, or an input size it cannot take; the message names what can be.
    """
    if name not in _REGISTRY:
        raise ValueError(f"there is no network {name!r}: choose one of {', '.join(model_names())}")
    entry = _REGISTRY[name]
    if height < 1 or width < 1 or height % entry.multiple_of or width % entry.multiple_of:
        padded = [max(1, math.ceil(side / entry.multiple_of)) * entry.multiple_of for side in (height, width)]
        raise ValueError(
            f"{name} takes heights and widths that are multiples of {entry.multiple_of}, not {height}x{width}: "
            f"the next size is {padded[0]}x{padded[1]} (height x width)"
        )
    return entry.build(height, width, classes, auxiliary)
