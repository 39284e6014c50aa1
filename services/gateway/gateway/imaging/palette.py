"""A model's classes as lookup tables over the 256 values a mask pixel can have."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo, ModelCard
from gateway.errors import InvalidParameter

# The keyword of the mask PNG's tEXt chunk; its text is JSON, see Palette.text.
TEXT_KEY = "segstack-classes"

# How label sets name "nothing of interest", which is always class 0 (VOC, CVAT). In other sets class 0 is a class
# like any other: in Cityscapes it is the road.
_BACKGROUND_NAMES = frozenset({"background", "_background_"})


@dataclass(frozen=True, eq=False)
class Palette:
    """Lookup tables for one model's classes."""

    classes: tuple[ClassInfo, ...]
    ignore_id: int

    @classmethod
    def of(cls, card: ModelCard) -> "Palette":
        """The palette of a model's classes."""
        return cls(card.classes, card.ignore_id)

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """Colours, uint8 [256,3] RGB; black for ids of no class."""
        table = np.zeros((256, 3), np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        return table

    @cached_property
    def alpha(self) -> NDArray[np.uint8]:
        """Opacity, uint8 [256]: 0 for the ignore id, 255 for the rest."""
        table = np.full(256, 255, np.uint8)
        table[self.ignore_id] = 0
        return table

    @cached_property
    def painted(self) -> NDArray[np.uint8]:
        """Which ids an overlay paints, uint8 [256]: 255 for every class except the background, 0 for others."""
        table = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.id] = 0 if is_background(c) else 255
        return table

    @cached_property
    def text(self) -> str:
        """``{"ignore_id": 255, "classes": [{"id": 0, "name": "…", "color": [r, g, b]}, …]}`` in ASCII."""
        classes = [{"id": c.id, "name": c.name, "color": list(c.color)} for c in self.classes]
        return json.dumps({"ignore_id": self.ignore_id, "classes": classes})

    def select(self, wanted: str) -> frozenset[int]:
        """The ids of the classes in ``wanted``: names or ids separated by commas.

        Raises:
            InvalidParameter: one of them is not a class of this model.
        """
        ids: dict[str, int] = {}
        for c in self.classes:
            ids[str(c.id)] = c.id
        ids |= {c.name.casefold(): c.id for c in reversed(self.classes)}
        chosen = set()
        for item in filter(None, (part.strip() for part in wanted.split(","))):
            if item.casefold() not in ids:
                near = get_close_matches(item.casefold(), ids, 1)
                hint = f"did you mean {near[0]!r}?" if near else "give names or ids."
                names = [c.name for c in self.classes]
                raise InvalidParameter(
                    f"classes: the model has no class {item!r}; {hint} It has {', '.join(names)}",
                    parameter="classes",
                    available=names,
                )
            chosen.add(ids[item.casefold()])
        if not chosen:
            raise InvalidParameter("classes is empty; name at least one class, or leave it out", parameter="classes")
        return frozenset(chosen)


def is_background(c: ClassInfo) -> bool:
    """Whether a class means "nothing of interest", which overlays do not paint."""
    return c.id == 0 and c.name.casefold() in _BACKGROUND_NAMES
