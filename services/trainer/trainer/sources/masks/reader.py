"""Masks of whatever kind a person has, read as they say: class ids, palette indices or colours."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.datasets.class_colors import Color
from trainer.errors import UserError, first_few
from trainer.sources.cvat.labelmap import LabelMap
from trainer.sources.masks.class_files import ClassFile, read_class_file
from trainer.sources.masks.decode import decode_mask
from trainer.sources.masks.label_values import LabelValues, nothing_to_learn, numbered_classes
from trainer.sources.writing import ImportReport

Kind = Literal["auto", "ids", "colors"]


@dataclass(frozen=True)
class LabelMapping:
    """What the values of masks mean, as far as a person has said.

    Args:
        classes: a class file, see :func:`read_class_file`; without one the classes are ``class_0``, ``class_1``, ….
        kind: whether a mask holds ids or colours; ``auto`` takes colours where the class file gives some and the mask
            has any.
        replaced: values that stand for another one.
        ignored: values, or colours, that are no class.
    """

    classes: Path | None = None
    kind: Kind = "auto"
    replaced: Mapping[int, int] = field(default_factory=dict)
    ignored: Collection[int | Color] = ()


@dataclass(frozen=True)
class MaskReader:
    """The classes, and ``read(data, name)``: class ids [H, W] of an encoded mask, or UserError."""

    classes: tuple[ClassInfo, ...]
    read: Callable[[bytes, str], NDArray[np.uint8]]
    notes: tuple[str, ...] = ()


def mask_reader(
    mapping: LabelMapping,
    values: Callable[[], set[int]],
    decode: Callable[[bytes, str], NDArray[np.uint8]] | None = None,
    own_classes: ClassFile | None = None,
) -> MaskReader:
    """How to read masks.

    Args:
        mapping: what the person says of them.
        values: looks up all the values that the masks hold; asked only when no class file names them.
        decode: ids [H, W] of an encoded mask, where that is not :func:`decode_ids`.
        own_classes: those that the source itself names, when the person gives no class file.

    Raises:
        UserError: a class file that cannot be used, or values that do not tell what the classes are.
    """
    ids_of = decode or decode_ids
    ignored = {value for value in mapping.ignored if isinstance(value, int)}
    file = read_class_file(mapping.classes) if mapping.classes else own_classes
    if file is None:
        if mapping.kind == "colors":
            raise UserError("masks of colours need --classes FILE, which says which colour is which class")
        unnamed = LabelValues({}, mapping.replaced, ignored)
        classes = numbered_classes(unnamed.value(value) for value in values())
        label_values = LabelValues({c.id: c.id for c in classes}, mapping.replaced, ignored)
        note = "The classes have no names: give --classes FILE to name them"
        return MaskReader(classes, lambda data, name: label_values.ids(ids_of(data, name), name), (note,))

    label_values = LabelValues(file.id_of, mapping.replaced, ignored)
    colors = LabelMap(file.classes, (), tuple(color for color in mapping.ignored if not isinstance(color, int)))
    by_color = file.colored if mapping.kind == "auto" else mapping.kind == "colors"

    def read(data: bytes, name: str) -> NDArray[np.uint8]:
        if by_color:
            mask = decode_mask(data, name)
            if mapping.kind == "colors" and mask.ndim == 2:
                mask = np.repeat(mask[..., None], 3, axis=2)
            if mask.ndim == 3:
                return colors.ids(mask, name)
        return label_values.ids(ids_of(data, name), name)

    return MaskReader(file.classes, read, _renumbered(file))


def decode_ids(data: bytes, name: str) -> NDArray[np.uint8]:
    """The values [H, W] of a mask of one channel, of a palette's indices, or of three channels that are all the same.

    Raises:
        UserError: a mask in colours.
    """
    mask = decode_mask(data, name, indices=True)
    if mask.ndim == 2:
        return mask
    if (mask != mask[..., :1]).any():
        raise UserError(f"{name}: is in colours: give --classes FILE, which says which colour is which class")
    return np.ascontiguousarray(mask[..., 0])


def require_two_classes(report: ImportReport) -> None:
    """Raise UserError when no more than one class was drawn in all the masks."""
    drawn = [name for name, count in report.pixels.items() if count]
    if len(drawn) == 1 and drawn[0] != next(iter(report.pixels)):
        raise UserError(
            f"every labelled pixel of the masks is {drawn[0]!r}, so there is nothing to learn: are these the right "
            "files, and does the class file name their values?"
        )
    if len(drawn) < 2:
        raise UserError(nothing_to_learn(report.ignored > 0))


def _renumbered(file: ClassFile) -> tuple[str, ...]:
    """What to say when a class is not numbered as its value in the masks."""
    moved = [f"{file.classes[n].name} {value}→{n}" for value, n in sorted(file.id_of.items()) if value != n]
    if not moved:
        return ()
    return (f"Class ids count from 0, so values became: {first_few(moved, 5)}",)
