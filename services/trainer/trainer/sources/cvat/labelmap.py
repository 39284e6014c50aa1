"""``labelmap.txt`` of CVAT's "Segmentation mask 1.1", or ``dataset_meta.json`` in its place: the class of each colour
and index.

Source: CVAT's format documentation and datumaro's VOC writer. CVAT sorts labels by name, so background can be on any
line. If a user has defined a coloured ``background``, every unlabelled pixel has that colour.
"""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.class_colors import BACKGROUND, Color, parse_color, require_unique, voc_color
from trainer.errors import UserError

_BLACK = (0, 0, 0)
_REMEDY = "Fix the file, or export again from CVAT"


@dataclass(frozen=True)
class LabelMap:
    """The classes, background first, and the class id of each colour and index of a mask.

    Pixels of an ``ignored`` colour get the ignore id.
    """

    classes: tuple[ClassInfo, ...]
    class_of_index: tuple[int, ...]
    ignored: tuple[Color, ...] = ()

    def ids(self, mask: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
        """Class ids [H, W] of a mask of RGB colours [H, W, 3], or of indices of the label map's lines [H, W].

        Raises:
            UserError: a colour or index is not in the map; ``where`` names the file in the message.
        """
        if mask.ndim == 2:
            lines = len(self.class_of_index)
            if int(mask.max(initial=0)) >= lines:
                raise UserError(
                    f"{where}: contains index {int(mask.max())}, but the label map has {lines} lines (0 to {lines - 1})"
                )
            return np.asarray(self.class_of_index, np.uint8)[mask]
        known = [(c.color, c.id) for c in self.classes] + [(color, IGNORE_ID) for color in self.ignored]
        table = sorted((_packed(np.array(color)), class_id) for color, class_id in known)
        colors = np.array([color for color, _ in table])
        ids = np.array([class_id for _, class_id in table], np.uint8)
        pixels = _packed(mask)
        position = np.searchsorted(colors, pixels).clip(max=len(colors) - 1)
        unknown = colors[position] != pixels
        if unknown.any():
            values, counts = np.unique(pixels[unknown], return_counts=True)
            packed = int(values[counts.argmax()])
            raise UserError(
                f"{where}: {int(unknown.sum())} pixels have colours that are not in the label map, most often "
                f"RGB {packed >> 16},{packed >> 8 & 255},{packed & 255}. Masks must be exported as PNG and "
                "never resized or saved as JPEG"
            )
        return ids[position]


def _packed(colors: NDArray) -> NDArray[np.int64]:
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def parse_labelmap(text: str, where: str = "labelmap.txt") -> LabelMap:
    """Read a label map: background becomes id 0, the others follow in the file's order.

    Raises:
        UserError: a line does not have four fields, a colour is invalid, or a name or colour occurs twice.
    """
    return _labelmap_of(_lines(text, where), where)


def parse_dataset_meta(text: str, where: str = "dataset_meta.json") -> LabelMap:
    """Read datumaro's JSON: the names are in ``labels``, the colours belong to ``label_map``, in its order.

    Raises:
        UserError: it is not such JSON, or as in :func:`parse_labelmap`.
    """
    try:
        content = json.loads(text.removeprefix("\ufeff"))
        colored = list(content.get("label_map", {}).values())
        colors = [c and (int(c[0]), int(c[1]), int(c[2])) for c in content.get("segmentation_colors", [])]
        names = [*content.get("labels", []), *(name for name in colored if name not in content.get("labels", []))]
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(f"{where}: is not a label map in datumaro's JSON ({error}). {_REMEDY}") from None
    if colors and len(colors) != len(colored):
        raise UserError(f"{where}: has {len(colors)} segmentation_colors for {len(colored)} in label_map. {_REMEDY}")
    if not names:
        raise UserError(f"{where}: contains no label. {_REMEDY}")
    color_of = dict(zip(colored, colors, strict=True)) if colors else {}
    return _labelmap_of([(str(name), color_of.get(name)) for name in names], where)


def _labelmap_of(labels: list[tuple[str, Color | None]], where: str) -> LabelMap:
    background = next((name for name, color in labels if color == _BLACK), None)
    if background is None and any(name == BACKGROUND for name, _ in labels):
        background = BACKGROUND
    # An empty colour is the palette's at the line's position; it does not decide which label is background.
    colored = [(name, color or voc_color(index)) for index, (name, color) in enumerate(labels)]
    if background is None:
        colored.append((BACKGROUND, _BLACK))
        background = BACKGROUND
    require_unique(colored, where)

    ordered = sorted(colored, key=lambda label: label[0] != background)
    classes = tuple(ClassInfo(class_id, name, color) for class_id, (name, color) in enumerate(ordered))
    if len(classes) < 2:
        raise UserError(f"{where}: has no label except background, so there is nothing to learn. {_REMEDY}")
    id_of = {c.name: c.id for c in classes}
    return LabelMap(classes, tuple(id_of[name] for name, _ in labels))


def _lines(text: str, where: str) -> list[tuple[str, Color | None]]:
    labels = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        fields = line.split(":")
        if len(fields) != 4 or not fields[0].strip():
            raise UserError(
                f"{where}, line {number}: expected name:R,G,B:parts:actions, found {line!r}. A label's name cannot "
                f"contain a colon. {_REMEDY}"
            )
        color = fields[1].strip()
        labels.append((fields[0].strip(), parse_color(color, f"{where}, line {number}") if color else None))
    if not labels:
        raise UserError(f"{where}: contains no label. {_REMEDY}")
    return labels
