"""What every importer ends in: labelled images are read, checked and written beside the target, which appears only
when all of it is right.
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
from trainer.errors import UserError, first_few
from trainer.progress import in_threads, progress
from trainer.sources.images import KEPT_AS_THEY_ARE, EncodedImage, decode_upright, is_turned

# What sources call their splits.
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

    ``read_mask(height, width)`` gives class ids [height, width], uint8, 255 = ignore, or raises UserError.
    ``split`` is the one that the source fixed, if any.
    """

    id: str
    picture: EncodedImage
    read_mask: Callable[[int, int], NDArray[np.uint8]]
    split: str | None = None


@dataclass(frozen=True)
class SplitConfig:
    """How a new data set will divide: the splits' seed, and the pattern that finds the group in an id.

    The group is what the pattern's first parentheses match, or all of its match: ``(.*)_`` makes one group of
    ``video1_000001`` and ``video1_000002``. An id without a match is a group of its own.
    """

    seed: int = 0
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise UserError(f"--group-pattern {self.group_pattern!r} is no regular expression: {error}") from None

    def group(self, item_id: str) -> str | None:
        """The group of an image; None when it has none."""
        match = re.search(self.group_pattern, item_id) if self.group_pattern is not None else None
        return None if match is None else match[1 if match.re.groups else 0]

    def keep(self, item_id: str, split: str, splits: Collection[str | None]) -> str:
        """The split of an image that its source has put into ``split``.

        A source that has test images but no validation images, among its ``splits``, gives some training images.
        """
        if split == "train" and "test" in splits and "validation" not in splits:
            return train_or_validation(self.group(item_id) or item_id, self.seed)
        return split


SPLIT_BY_ID = SplitConfig()


@dataclass
class ImportReport:
    """Counts of images and groups, and of pixels by class name; ids of what was left out or taken unasked.

    ``notes`` are sentences of the importer's own.
    """

    images: int = 0
    blank: int = 0
    groups: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    unlabelled: list[str] = field(default_factory=list)
    taken_as_blank: list[str] = field(default_factory=list)
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
        divided = ", ".join(f"{self.splits[name]} {name}" for name in SPLITS)
        grouped = f", in {self.groups} groups" if self.groups else ""
        lines = [f"{self.images} images ({divided}){grouped}, {self.blank} of them without any object"]
        for name, count in self.pixels.items():
            lines.append(f"  {name:<20} {count / total:8.3%} of the pixels" + ("" if count else " - never drawn"))
        if self.ignored:
            lines.append(f"  {'(ignored)':<20} {self.ignored / total:8.3%} of the pixels")
        for what, ids in (
            ("have an image but no label and were left out", self.unlabelled),
            ("have an image but no label and were taken as empty", self.taken_as_blank),
            ("have a mask but are not in ImageSets; they were taken", self.unlisted),
            ("have a label but no image and were left out", self.without_image),
        ):
            if ids:
                lines.append(f"{len(ids)} {what}: {first_few(ids)}")
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
        images: may be produced as they are taken: only a few are held at a time.
        total: how many they are, for the progress bar.
        classes: of the new data set.
        output: the new folder.
        split_config: its groups and its splits' seed.
        report: is filled in and returned.
        accept: sees the filled report before the data set appears, and may refuse it by raising UserError.

    Raises:
        UserError: labels that cannot be used: how many, and the first of them. Nothing is written then.
    """
    report.pixels.update({c.name: 0 for c in classes})
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".tmp-{output.name}-{os.getpid()}")
    items, faults = [], []

    def write(image: LabelledImage) -> tuple[Item, NDArray[np.int64]] | UserError:
        try:
            return _write_one(image, beside, split_config)
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
        _refuse_twins(items)
        raise_faults(faults, len(items) + len(faults))
        _refuse_useless_groups(items, split_config)
        report.groups = len({item.group for item in items if item.group is not None})
        accept(report)
        Dataset(beside, classes, tuple(items), split_config.seed).save()
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def _write_one(image: LabelledImage, root: Path, split_config: SplitConfig) -> tuple[Item, NDArray[np.int64]]:
    """Write an image, upright, and its mask; return its item and its pixels by class id [256]."""
    data = image.picture.read()
    upright = decode_upright(data, image.picture.name)
    ids = image.read_mask(*upright.shape[:2])
    if ids.shape != upright.shape[:2]:
        raise AssertionError(f"{image.id}: the importer made {ids.shape} of {upright.shape}")

    suffix = image.picture.suffix
    as_it_is = suffix in KEPT_AS_THEY_ARE and not is_turned(data, upright)
    item = Item(
        image.id,
        f"images/{image.id}{suffix if as_it_is else '.png'}",
        f"masks/{image.id}.png",
        split_config.group(image.id),
        image.split,
    )
    _write(root / item.image, data if as_it_is else png(upright))
    _write(root / item.mask, png(ids))
    return item, np.bincount(ids.ravel(), minlength=256)


def png(image: NDArray[np.uint8]) -> bytes:
    """The PNG of a BGR image [H, W, 3] or of a mask [H, W]."""
    # Regions of one value need no filter: without one they take half the time to decode, and less space.
    options = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE] if image.ndim == 2 else []
    return cv2.imencode(".png", image, options)[1].tobytes()


def raise_faults(faults: list[str], labels: int) -> None:
    """Raise UserError when there are faults: of how many labels, and the first few."""
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        shown = "".join(f"\n  {fault}" for fault in faults[:3])
        raise UserError(f"{len(faults)} of {labels} labels cannot be used; nothing was imported. The first:{shown}")


def _refuse_twins(items: list[Item]) -> None:
    """One of them has overwritten the other by now, which is why nothing may be kept."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UserError(f"two images are called {item.id!r}: give each a name of its own")
        seen.add(item.id)


def _refuse_useless_groups(items: list[Item], split_config: SplitConfig) -> None:
    if split_config.group_pattern is not None and not any(item.group for item in items):
        raise UserError(
            f"--group-pattern {split_config.group_pattern!r} matches no image: their ids are like {items[0].id!r}"
        )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
