"""Masks as people see them: in their classes' colours, alone or laid over the image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.data.labelmap import BACKGROUND

_STRIPE_PIXELS = 4
_STRIPES = np.array([[20, 20, 20], [235, 235, 235]], np.uint8)


def colorize(mask: NDArray[np.uint8], classes: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    """A mask of class ids [H, W] as RGB uint8 [H, W, 3].

    What is no class, first of all the ignore id, is striped: no class's colour can be mistaken for it.
    """
    table = np.zeros((256, 3), np.uint8)
    known = np.zeros(256, bool)
    for c in classes:
        table[c.id], known[c.id] = c.color, True
    colors = table[mask]
    stranger = ~known[mask]
    if stranger.any():
        rows, columns = np.nonzero(stranger)
        colors[rows, columns] = _STRIPES[(rows + columns) // _STRIPE_PIXELS % 2]
    return colors


def overlay(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[ClassInfo], alpha: float = 0.5
) -> NDArray[np.uint8]:
    """An image RGB [H, W, 3] under its mask [H, W] with opacity ``alpha``; background is left as it is."""
    opacity = np.full(256, alpha, np.float32)
    for c in classes:
        if c.id == 0 and c.name.casefold() == BACKGROUND:
            opacity[c.id] = 0
    weight = opacity[mask][..., None]
    blended = image * (1 - weight) + colorize(mask, classes) * weight
    return np.rint(blended).astype(np.uint8)
