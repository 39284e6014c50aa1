"""Reading masks of class ids, palette indices or colours, according to the user's options."""

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
from trainer.sources.images import EncodedImage
from trainer.sources.masks.class_files import ClassFile, read_class_file
from trainer.sources.masks.decode import decode_mask, require_same_size
from trainer.sources.masks.label_values import LabelValues, nothing_to_learn, numbered_classes
from trainer.sources.writing import ImportReport

Kind = Literal["auto", "ids", "colors"]


@dataclass(frozen=True)
class LabelMapping:
    """From mask values to classes, as the user gives it.

    Args:
        classes: a class file, see :func:`read_class_file`; without one the classes are ``class_0``, ``class_1``, ….
        kind: whether a mask contains ids or colours; ``auto`` means colours if the class file has colours and the mask
            three channels.
        replaced: value by the value it replaces.
        ignored: values, or colours, that are ignored.
    """

    classes: Path | None = None
    kind: Kind = "auto"
    replaced: Mapping[int, int] = field(default_factory=dict)
    ignored: Collection[int | Color] = ()


@dataclass(frozen=True)
class MaskReader:
    """The classes, and ``read(data, name)``, which returns class ids [H, W] of an encoded mask or raises UserError."""

    classes: tuple[ClassInfo, ...]
    read: Callable[[bytes, str], NDArray[np.uint8]]
    notes: tuple[str, ...] = ()


def mask_reader(
    mapping: LabelMapping,
    values: Callable[[], set[int]],
    decode: Callable[[bytes, str], NDArray[np.uint8]] | None = None,
    own_classes: ClassFile | None = None,
) -> MaskReader:
    """Create the reader of a source's masks.

    Args:
        mapping: the user's options.
        values: finds all values in the masks; called only if no class file names them.
        decode: returns ids [H, W] of an encoded mask; :func:`decode_ids` by default.
        own_classes: the source's own classes, used if the user gives no class file.

    Raises:
        UserError: the class file is invalid, or the classes cannot be found from the values.
    """
    ids_of = decode or decode_ids
    ignored = {value for value in mapping.ignored if isinstance(value, int)}
    file = read_class_file(mapping.classes) if mapping.classes else own_classes
    if file is None:
        if mapping.kind == "colors":
            raise UserError("masks in colours need --classes FILE, which gives the class of each colour")
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
    """The values [H, W] of a mask with one channel, a palette, or three equal channels.

    Raises:
        UserError: the mask is in colours.
    """
    mask = decode_mask(data, name, indices=True)
    if mask.ndim == 2:
        return mask
    if (mask != mask[..., :1]).any():
        raise UserError(f"{name}: is in colours: give --classes FILE, which gives the class of each colour")
    return np.ascontiguousarray(mask[..., 0])


def read_mask(reader: MaskReader, mask: EncodedImage, height: int, width: int) -> NDArray[np.uint8]:
    """Class ids [height, width] of an encoded mask.

    Raises:
        UserError: the mask has another size, or cannot be read.
    """
    ids = reader.read(mask.read(), mask.name)
    require_same_size(ids, height, width, mask.name)
    return ids


def require_two_classes(report: ImportReport) -> None:
    """Raise UserError unless two classes or more occur in the masks."""
    found = [name for name, count in report.pixels.items() if count]
    if len(found) == 1 and found[0] != next(iter(report.pixels)):
        raise UserError(
            f"every labelled pixel of the masks is {found[0]!r}, so there is nothing to learn: check that these are "
            "the right files, and that the class file names their values"
        )
    if len(found) < 2:
        raise UserError(nothing_to_learn(report.ignored > 0))


def _renumbered(file: ClassFile) -> tuple[str, ...]:
    """A note if class ids differ from the values in the masks."""
    moved = [f"{file.classes[n].name} {value}→{n}" for value, n in sorted(file.id_of.items()) if value != n]
    if not moved:
        return ()
    return (f"Class ids count from 0, so values became: {first_few(moved, 5)}",)
