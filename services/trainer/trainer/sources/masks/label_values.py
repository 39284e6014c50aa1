"""From the values in somebody's masks to class ids."""

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
    """What each of the 256 values of an 8-bit mask means.

    Args:
        id_of: the class id of a value; 255 is ignored without being named.
        replaced: values that stand for another value, which is looked up in their place.
        ignored: values that are ignored, replaced ones included.
    """

    id_of: Mapping[int, int]
    replaced: Mapping[int, int] = field(default_factory=dict)
    ignored: Collection[int] = ()

    def value(self, value: int) -> int:
        """What a value stands for."""
        value = self.replaced.get(value, value)
        return IGNORE_ID if value in self.ignored else value

    def ids(self, mask: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        """Class ids [H, W] of a mask of values [H, W].

        Raises:
            UserError: a value that means nothing; ``where`` names the file in the message.
        """
        table = np.array([self._id(value) for value in range(256)], np.int16)
        counts = np.bincount(mask.ravel(), minlength=256)
        strangers = np.flatnonzero((counts > 0) & (table == _UNKNOWN))
        if strangers.size:
            raise UserError(
                f"{where}: {int(counts[strangers].sum())} pixels have values that are no class: "
                f"{first_few(strangers, 5)}, expected {first_few(sorted(self.id_of), 5)}: name them with "
                "--classes, or say what they are with --map VALUE=CLASS or --ignore VALUE. Values that no one drew "
                "come from masks that were resized or saved as JPEG"
            )
        return table.astype(np.uint8)[mask]

    def _id(self, value: int) -> int:
        value = self.value(value)
        return self.id_of.get(value, IGNORE_ID if value == IGNORE_ID else _UNKNOWN)


def numbered_classes(values: Iterable[int]) -> tuple[ClassInfo, ...]:
    """``class_0``, ``class_1``, … for the values that were found, 255 aside.

    Raises:
        UserError: the values do not count up from 0, so they may be no class ids.
    """
    distinct = set(values)
    found = sorted(distinct - {IGNORE_ID})
    if found in ([], [0]):
        raise UserError(nothing_to_learn(IGNORE_ID in distinct))
    if found != list(range(len(found))):
        raise UserError(
            f"the masks hold the values {first_few(found, 8)}, which do not "
            "count up from 0: name the classes with --classes FILE, or say what a value is with --map VALUE=CLASS"
        )
    return tuple(ClassInfo(value, f"class_{value}", voc_color(value)) for value in found)


def nothing_to_learn(ignored: bool) -> str:
    """The sentence for masks of one class only, with or without ignored pixels beside it."""
    if ignored:
        return (
            f"the masks hold nothing but 0 and {IGNORE_ID}, and {IGNORE_ID} means ignored: if it is the object here, "
            f"give --map {IGNORE_ID}=1"
        )
    return "the masks hold nothing but 0, so there is nothing to learn: are these the right files?"
