"""What an import took and what it left, for people to read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.data.dataset import SPLITS


@dataclass
class ImportReport:
    """Counts of images, and of pixels by class name; ids of what was left out or taken unasked."""

    images: int = 0
    blank: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    pixels: Counter[str] = field(default_factory=Counter)
    unlabelled: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)

    def add(self, ids: NDArray[np.uint8], classes: Sequence[ClassInfo], split: str) -> None:
        """Count one imported image by its mask [H, W] of class ids."""
        counts = np.bincount(ids.ravel(), minlength=len(classes))
        self.images += 1
        self.blank += not ids.any()
        self.splits[split] += 1
        self.pixels.update({c.name: int(counts[c.id]) for c in classes})

    def __str__(self) -> str:
        total = max(1, sum(self.pixels.values()))
        divided = ", ".join(f"{self.splits[name]} {name}" for name in SPLITS)
        lines = [f"{self.images} images ({divided}), {self.blank} of them without any object"]
        for name, count in self.pixels.items():
            lines.append(f"  {name:<20} {count / total:8.3%} of the pixels" + ("" if count else " - never drawn"))
        for what, ids in (
            ("have an image but no label and were left out", self.unlabelled),
            ("have a mask but are not in ImageSets; they were taken", self.unlisted),
            ("have a label but no image and were left out", self.without_image),
        ):
            if ids:
                lines.append(f"{len(ids)} {what}: {', '.join(ids[:3])}{', …' if len(ids) > 3 else ''}")
        return "\n".join(lines)
