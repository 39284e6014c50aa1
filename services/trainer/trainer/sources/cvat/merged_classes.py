"""One class map for several exports: labels of the same name are the same class."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.class_colors import Color, voc_color
from trainer.errors import UserError
from trainer.sources.cvat.labelmap import LabelMap


@dataclass(frozen=True)
class MergedClasses:
    """The merged classes, and by export name the merged id of each of the export's class ids, uint8 [C]."""

    classes: tuple[ClassInfo, ...]
    id_of: Mapping[str, NDArray[np.uint8]]


def merge_labelmaps(
    labelmaps: Mapping[str, LabelMap], union: bool = False, ignored: Collection[str] = ()
) -> MergedClasses:
    """Merge label maps: background is 0 under any name; then the first export's classes, then new ones in order.

    A class whose colour is in use already gets the next free colour of the VOC palette.

    Args:
        labelmaps: by export name.
        union: accept exports whose labels differ; a label's objects are background in an export without the label.
        ignored: labels whose pixels get the ignore id.

    Raises:
        UserError: the labels differ and ``union`` is false, or no export has a label to ignore.
    """
    first, *others = labelmaps
    expected = _names(labelmaps[first])
    for other in others:
        if not union and set(_names(labelmaps[other])) != set(expected):
            theirs = _names(labelmaps[other])
            only_first, only_other = sorted(set(expected) - set(theirs)), sorted(set(theirs) - set(expected))
            raise UserError(
                f"{first} and {other} have different labels (only in the first: {_listed(only_first)}; only in the "
                f"second: {_listed(only_other)}): give both tasks the same labels in CVAT; or, if a label's "
                "objects may be background in the task without the label, give --merge-classes"
            )

    everywhere = {name for labelmap in labelmaps.values() for name in _names(labelmap)}
    for name in ignored:
        if name not in everywhere:
            raise UserError(f"--ignore {name}: there is no such label; there are {_listed(sorted(everywhere))}")
    if everywhere <= set(ignored):
        raise UserError("every label is ignored, so there is nothing to learn: omit --ignore")

    classes = [labelmaps[first].classes[0]]
    ids = dict.fromkeys(ignored, IGNORE_ID)
    for labelmap in labelmaps.values():
        for c in labelmap.classes[1:]:
            if c.name not in ids:
                ids[c.name] = len(classes)
                classes.append(ClassInfo(len(classes), c.name, _free_color(c.color, classes)))
    tables = {
        name: np.array([0, *(ids[c.name] for c in labelmap.classes[1:])], np.uint8)
        for name, labelmap in labelmaps.items()
    }
    return MergedClasses(tuple(classes), tables)


def _names(labelmap: LabelMap) -> list[str]:
    return [c.name for c in labelmap.classes[1:]]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _free_color(wanted: Color, classes: Sequence[ClassInfo]) -> Color:
    used = {c.color for c in classes}
    return wanted if wanted not in used else next(c for c in map(voc_color, range(256)) if c not in used)
