"""From mask values to class ids."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.class_colors import voc_color
from trainer.errors import UserError, first_few

_UNKNOWN = -1


@dataclass(frozen=True)
class LabelValues:
    """The class id of each of the 256 values of an 8-bit mask.

    Args:
        id_of: class id by value; 255 is always ignored.
        replaced: value by the value it replaces; `id_of` and `ignored` are looked up after that.
        ignored: values that are ignored.
    """

    id_of: Mapping[int, int]
    replaced: Mapping[int, int] = field(default_factory=dict)
    ignored: Collection[int] = ()

    def value(self, value: int) -> int:
        """The value after replacing; 255 if it is ignored."""
        value = self.replaced.get(value, value)
        return IGNORE_ID if value in self.ignored else value

    def ids(self, mask: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        """Class ids [H, W] of a mask of values [H, W].

        Raises:
            UserError: a value belongs to no class; ``where`` names the file in the message.
        """
        table = np.array([self._id(value) for value in range(256)], np.int16)
        counts = np.bincount(mask.ravel(), minlength=256)
        unknown = np.flatnonzero((counts > 0) & (table == _UNKNOWN))
        if unknown.size:
            raise UserError(
                f"{where}: {int(counts[unknown].sum())} pixels have values of no class: "
                f"{first_few(unknown, 5)}, expected {first_few(sorted(self.id_of), 5)}: name them with "
                "--classes, or give --map VALUE=CLASS or --ignore VALUE. Unexpected values come from masks "
                "that were resized or saved as JPEG"
            )
        return table.astype(np.uint8)[mask]

    def _id(self, value: int) -> int:
        value = self.value(value)
        return self.id_of.get(value, IGNORE_ID if value == IGNORE_ID else _UNKNOWN)


def numbered_classes(values: Iterable[int]) -> tuple[ClassInfo, ...]:
    """``class_0``, ``class_1``, … for the values found, except 255.

    Raises:
        UserError: the values are not 0, 1, 2, …, so they may not be class ids.
    """
    distinct = set(values)
    found = sorted(distinct - {IGNORE_ID})
    if found in ([], [0]):
        raise UserError(nothing_to_learn(IGNORE_ID in distinct))
    if found != list(range(len(found))):
        raise UserError(
            f"the masks contain the values {first_few(found, 8)}, which do not "
            "count up from 0: name the classes with --classes FILE, or replace values with --map VALUE=CLASS"
        )
    return tuple(ClassInfo(value, f"class_{value}", voc_color(value)) for value in found)


def nothing_to_learn(ignored: bool) -> str:
    """The message for masks of a single class, with or without ignored pixels."""
    if ignored:
        return (
            f"the masks contain only 0 and {IGNORE_ID}, and {IGNORE_ID} means ignored: if it is an object here, "
            f"give --map {IGNORE_ID}=1"
        )
    return "the masks contain only 0, so there is nothing to learn: check that these are the right files"
