"""What an import took and what it left, for people to read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.dataset import SPLITS
from trainer.datasets.listing import first_few


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
