"""One class map for several exports: labels are the same when their names are."""

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
    """The classes of all, and for each export by its name the merged id of each of its own ids, uint8 [C]."""

    classes: tuple[ClassInfo, ...]
    id_of: Mapping[str, NDArray[np.uint8]]


def merge_labelmaps(
    labelmaps: Mapping[str, LabelMap], union: bool = False, ignored: Collection[str] = ()
) -> MergedClasses:
    """Background stays 0, whatever each export calls it; the others follow the first export, then as they turn up.

    The first export's colours hold; a later class whose colour is taken gets the next free one of the VOC palette.

    Args:
        labelmaps: by the export's name.
        union: also where the exports' labels differ. In an export that lacks a label, its objects are background.
        ignored: labels that are no class: their pixels get the ignore id.

    Raises:
        UserError: the labels differ, and ``union`` is not asked for; or a label to ignore is not there.
    """
    first, *others = labelmaps
    expected = _names(labelmaps[first])
    for other in others:
        if not union and set(_names(labelmaps[other])) != set(expected):
            theirs = _names(labelmaps[other])
            only_first, only_other = sorted(set(expected) - set(theirs)), sorted(set(theirs) - set(expected))
            raise UserError(
                f"{first} and {other} have other labels (only in the first: {_listed(only_first)}; only in the second: "
                f"{_listed(only_other)}): give both tasks the same labels in CVAT, or give --merge-classes if objects "
                "of a label that a task lacks are rightly background there"
            )

    everywhere = {name for labelmap in labelmaps.values() for name in _names(labelmap)}
    for name in ignored:
        if name not in everywhere:
            raise UserError(f"--ignore {name}: there is no such label; there are {_listed(sorted(everywhere))}")
    if everywhere <= set(ignored):
        raise UserError("every label is ignored, so there is nothing to learn: leave out --ignore")

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
    taken = {c.color for c in classes}
    return wanted if wanted not in taken else next(c for c in map(voc_color, range(256)) if c not in taken)
