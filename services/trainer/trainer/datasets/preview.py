"""``segstack data preview``: images, masks and overlays of a data set on one sheet, with a legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.drawing import GAP, INK, MARGIN, Image, blank, colorize, in_row, overlay, stacked, text
from trainer.datasets.inspection import Inspection, inspect_all
from trainer.datasets.pair import read_pair
from trainer.errors import UserError, counted
from trainer.progress import progress

MAX_IMAGES = 500
_MIN_PANEL_WIDTH = 32

_COLUMNS = 2
_MAX_HEIGHT_PER_WIDTH = 1.25  # of a panel; a taller image is made narrower
_ALPHA = 0.6
_SWATCH = (16, 26)
_TITLE_SIZE, _TEXT_SIZE, _CAPTION_SIZE = 20, 15, 13


@dataclass(frozen=True)
class Sample:
    """Which images to show.

    Attributes:
        split: the split; None for all.
        images: the largest number of images.
        seed: a different seed shows other images.
        classes: only images with at least one of these, by name or id; empty for all images.
    """

    split: str | None = None
    images: int = 12
    seed: int = 0
    classes: Sequence[str] = ()


def preview(dataset: Dataset, output: Path, sample: Sample, panel_width: int = 240) -> list[Item]:
    """Write the sheet, a PNG, to ``output``; return the items on it.

    Args:
        dataset: the data set; its unusable pairs are skipped, and `segstack data validate` lists them.
        output: a new file.
        sample: which images.
        panel_width: in pixels; each image has three panels of this width.

    Raises:
        UserError: the file exists, or the data set has no such split, class or image.
    """
    _check(output, sample, panel_width)
    wanted = [_class_named(name, dataset.classes) for name in sample.classes]
    members = dataset.items if sample.split is None else dataset.split(sample.split)
    found = dict(zip((item.id for item in dataset.items), inspect_all(dataset), strict=True))
    usable = [item for item in members if not found[item.id].faults]
    candidates = [item for item in usable if not wanted or _has(found[item.id], wanted)]
    shown = _choose(candidates, sample)
    having = f" with {' or '.join(c.name for c in wanted)}" if wanted else ""
    if not shown:
        raise UserError(f"{dataset.root}: {sample.split or 'the data set'} contains no usable images{having}")

    title = f"{dataset.root.resolve().name}   {sample.split or 'all splits'}: "
    title += f"{len(shown):,} of {len(candidates):,} images{having}"
    cells = [_cell(dataset, item, panel_width) for item in progress(shown, "drawing", "image")]
    rows = [in_row(cells[start : start + _COLUMNS], 2 * GAP) for start in range(0, len(cells), _COLUMNS)]
    width = max(row.shape[1] for row in rows)
    legend = _legend(dataset.classes, [found[item.id] for item in usable], width)
    sheet = stacked([text(title, _TITLE_SIZE, width), legend, *rows], 2 * GAP, MARGIN)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())
    return shown


def _check(output: Path, sample: Sample, panel_width: int) -> None:
    if output.suffix.lower() != ".png":
        raise UserError(f"--output {output}: expected a name that ends in .png")
    if output.exists():
        raise UserError(f"{output} exists already: name another file with --output, or remove it first")
    if not 1 <= sample.images <= MAX_IMAGES:
        raise UserError(f"--images {sample.images}: expected 1 to {MAX_IMAGES}")
    if sample.seed < 0:
        raise UserError(f"--seed {sample.seed}: expected 0 or more")
    if panel_width < _MIN_PANEL_WIDTH:
        raise UserError(f"--width {panel_width}: expected {_MIN_PANEL_WIDTH} pixels or more")


def _class_named(name: str, classes: Sequence[ClassInfo]) -> ClassInfo:
    for c in classes:
        if name in (c.name, str(c.id)):
            return c
    known = ", ".join(f"{c.id} {c.name}" for c in classes)
    raise UserError(f"--classes {name}: not found; the classes are {known}")


def _has(inspection: Inspection, classes: Sequence[ClassInfo]) -> bool:
    return any(inspection.pixels.get(c.id) for c in classes)


def _choose(items: list[Item], sample: Sample) -> list[Item]:
    """A random sample of ``items``, in their order."""
    order = np.random.default_rng(sample.seed).permutation(len(items))
    return [items[position] for position in sorted(order[: sample.images])]


def _cell(dataset: Dataset, item: Item, width: int) -> Image:
    """Image, mask and overlay in a row, above the item's id and split."""
    pair = read_pair(dataset, item)
    image, mask = pair.image, pair.mask
    height = mask.shape[0] * width / mask.shape[1]
    shrink = min(1.0, _MAX_HEIGHT_PER_WIDTH * width / height)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    smooth = cv2.INTER_CUBIC if mask.shape[1] < size[0] else cv2.INTER_AREA
    small: Image = np.asarray(cv2.resize(image, size, interpolation=smooth), np.uint8)
    ids: Image = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    panels = small, colorize(ids, dataset.classes), overlay(small, ids, dataset.classes, _ALPHA)
    row = in_row([_centred(panel, width) for panel in panels], GAP)
    caption = text(f"{item.id}   {dataset.split_of(item)}", _CAPTION_SIZE, row.shape[1])
    return stacked([row, caption], GAP // 2)


def _centred(panel: Image, width: int) -> Image:
    left = (width - panel.shape[1]) // 2
    return in_row([blank(panel.shape[0], left), panel, blank(panel.shape[0], width - left - panel.shape[1])], 0)


def _legend(classes: Sequence[ClassInfo], found: Sequence[Inspection], width: int) -> Image:
    """A swatch for each class with its name, its fraction of the labelled pixels, and the number of images with it."""
    labelled = sum(sum(f.pixels.get(c.id, 0) for c in classes) for f in found)
    ignored = sum(f.pixels.get(IGNORE_ID, 0) for f in found)
    entries = []
    for c in classes:
        pixels, images = sum(f.pixels.get(c.id, 0) for f in found), sum(_has(f, [c]) for f in found)
        frequency = f"{pixels / labelled:.2%}, in {counted(images, 'image')}" if pixels else "in no image"
        entries.append(_entry(c.id, f"{c.name}   {frequency}", classes, width))
    if ignored:
        entries.append(_entry(IGNORE_ID, f"ignored   {ignored / (ignored + labelled):.2%} of all", classes, width))
    # As many equal columns as the longest entry allows.
    widest = max(entry.shape[1] for entry in entries)
    columns = max(1, (width + 2 * GAP) // (widest + 2 * GAP))
    per_column = math.ceil(len(entries) / columns)
    lists = [stacked(entries[start : start + per_column], GAP // 2) for start in range(0, len(entries), per_column)]
    return in_row(lists, 2 * GAP)


def _entry(class_id: int, words: str, classes: Sequence[ClassInfo], width: int) -> Image:
    swatch = colorize(np.full(_SWATCH, class_id, np.uint8), classes)
    swatch[[0, -1]] = swatch[:, [0, -1]] = INK
    return in_row([swatch, text(words, _TEXT_SIZE, width - _SWATCH[1] - GAP)], GAP)
