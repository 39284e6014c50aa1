"""The last step of every importer: read and check labelled images, and write them as a data set.

The set is written to a temporary folder, which gets its name when everything in it is right.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.dataset import SPLITS, Dataset, Item, split_of, train_or_validation
from trainer.errors import UserError, counted, first_few
from trainer.progress import in_threads, progress
from trainer.sources.images import STORED_UNCHANGED, EncodedImage, decode_upright, is_rotated

# The split's name by how sources name it.
SPLIT_ALIASES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class LabelledImage:
    """One image and its label, neither read yet.

    ``read_mask(height, width)`` returns class ids uint8 [height, width], 255 = ignore, or raises UserError.
    ``split`` is the image's split in the source, if it has one.
    """

    id: str
    image: EncodedImage
    read_mask: Callable[[int, int], NDArray[np.uint8]]
    split: str | None = None


@dataclass(frozen=True)
class SplitConfig:
    """How a new data set is split: the seed, and the pattern that finds the group in an id.

    The group is the match of the pattern's first group, or the whole match: ``(.*)_`` puts ``video1_000001`` and
    ``video1_000002`` into one group. An id without a match has no group.
    """

    seed: int = 0
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise UserError(f"--group-pattern {self.group_pattern!r} is not a regular expression: {error}") from None

    def group(self, item_id: str) -> str | None:
        """The group of an image; None if it has none."""
        match = re.search(self.group_pattern, item_id) if self.group_pattern is not None else None
        return None if match is None else match[1 if match.re.groups else 0]

    def keep(self, item_id: str, split: str, splits: Collection[str | None]) -> str:
        """The split of an image whose split in the source is ``split``.

        If the source's ``splits`` have test images but no validation images, some training images become those.
        """
        if split == "train" and "test" in splits and "validation" not in splits:
            return train_or_validation(self.group(item_id) or item_id, self.seed)
        return split


DEFAULT_SPLIT = SplitConfig()


@dataclass
class ImportReport:
    """What an importer read and what it skipped: counts of images, groups, and pixels by class name; ids; sentences.

    ``notes`` are sentences that the importer adds.
    """

    images: int = 0
    blank: int = 0
    groups: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    unlabelled: list[str] = field(default_factory=list)
    imported_as_blank: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, counts: NDArray[np.int64], classes: Sequence[ClassInfo], split: str) -> None:
        """Count one imported image by the pixels of its mask by class id [256]."""
        self.images += 1
        self.blank += int(counts[0] == counts.sum())
        self.splits[split] += 1
        self.pixels.update({c.name: int(counts[c.id]) for c in classes})
        self.ignored += int(counts[IGNORE_ID])

    def __str__(self) -> str:
        total = max(1, sum(self.pixels.values()) + self.ignored)
        splits = ", ".join(f"{self.splits[name]} {name}" for name in SPLITS)
        grouped = f", in {self.groups} groups" if self.groups else ""
        lines = [f"{self.images} images ({splits}){grouped}, {self.blank} of them without any object"]
        for name, count in self.pixels.items():
            lines.append(f"  {name:<20} {count / total:8.3%} of the pixels" + ("" if count else " - in no mask"))
        if self.ignored:
            lines.append(f"  {'(ignored)':<20} {self.ignored / total:8.3%} of the pixels")
        for noun, lacks, done, ids in (
            ("image", "no label", "skipped", self.unlabelled),
            ("image", "no label", "imported as all background", self.imported_as_blank),
            ("mask", "no line in ImageSets", "imported", self.unlisted),
            ("label", "no image", "skipped", self.without_image),
        ):
            if ids:
                has, was = ("has", "it was") if len(ids) == 1 else ("have", "they were")
                lines.append(f"{counted(len(ids), noun)} {has} {lacks}; {was} {done}: {first_few(ids)}")
        return "\n".join([*lines, *self.notes])


def write_dataset(
    images: Iterable[LabelledImage],
    total: int,
    classes: tuple[ClassInfo, ...],
    output: Path,
    split_config: SplitConfig,
    report: ImportReport,
    accept: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Read and check every labelled image and write the data set ``output``.

    Args:
        images: may be a generator: only a few are held at a time.
        total: their number, for the progress bar.
        classes: the classes of the new data set.
        output: the new folder.
        split_config: the groups and the seed of the splits.
        report: is filled in and returned.
        accept: is called with the filled report before the data set gets its name, and may raise UserError.

    Raises:
        UserError: labels cannot be used; the message has their number and the first few. Nothing is written then.
    """
    report.pixels.update({c.name: 0 for c in classes})
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".tmp-{output.name}-{os.getpid()}")
    items, faults = [], []

    def write(image: LabelledImage) -> tuple[Item, NDArray[np.int64]] | UserError:
        try:
            return _write_one(image, temporary, split_config)
        except UserError as error:
            return error

    try:
        with progress(None, "importing", "image", total=total) as bar, closing(in_threads(write, images)) as results:
            for result in results:
                bar.update()
                if isinstance(result, UserError):
                    faults.append(str(result))
                    continue
                item, counts = result
                items.append(item)
                report.add(counts, classes, item.split or split_of(item.group or item.id, split_config.seed))
        _require_unique_ids(items)
        raise_faults(faults, len(items) + len(faults))
        _require_groups(items, split_config)
        report.groups = len({item.group for item in items if item.group is not None})
        accept(report)
        Dataset(temporary, classes, tuple(items), split_config.seed).save()
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return report


def _write_one(labelled: LabelledImage, root: Path, split_config: SplitConfig) -> tuple[Item, NDArray[np.int64]]:
    """Write an image, upright, and its mask; return its item and its pixels by class id [256]."""
    data = labelled.image.read()
    upright = decode_upright(data, labelled.image.name)
    ids = labelled.read_mask(*upright.shape[:2])
    if ids.shape != upright.shape[:2]:
        raise AssertionError(f"{labelled.id}: the importer's mask is {ids.shape}, its image {upright.shape}")

    suffix = labelled.image.suffix
    unchanged = suffix in STORED_UNCHANGED and not is_rotated(data, upright)
    item = Item(
        labelled.id,
        f"images/{labelled.id}{suffix if unchanged else '.png'}",
        f"masks/{labelled.id}.png",
        split_config.group(labelled.id),
        labelled.split,
    )
    _write(root / item.image, data if unchanged else png(upright))
    _write(root / item.mask, png(ids))
    return item, np.bincount(ids.ravel(), minlength=256)


def png(image: NDArray[np.uint8]) -> bytes:
    """Encode a BGR image [H, W, 3] or a mask [H, W] as PNG."""
    # Without a filter, areas of one value decode in half the time and are smaller.
    options = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE] if image.ndim == 2 else []
    return cv2.imencode(".png", image, options)[1].tobytes()


def raise_faults(faults: list[str], labels: int) -> None:
    """Raise UserError if there are faults, with their number, the number of labels, and the first few."""
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        shown = "".join(f"\n  {fault}" for fault in faults[:3])
        raise UserError(f"{len(faults)} of {labels} labels cannot be used; nothing was imported. The first:{shown}")


def _require_unique_ids(items: list[Item]) -> None:
    """Raise UserError if two items share an id: the files of one have overwritten the other's."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UserError(f"two images have the id {item.id!r}: rename one")
        seen.add(item.id)


def _require_groups(items: list[Item], split_config: SplitConfig) -> None:
    if split_config.group_pattern is not None and not any(item.group for item in items):
        raise UserError(
            f"--group-pattern {split_config.group_pattern!r} matches no image: an id is, for instance, {items[0].id!r}"
        )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
