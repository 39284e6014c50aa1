"""The result of a validation: as text, one line per problem; as JSON; and class weights for a recipe."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.datasets.class_weights import CLASS_WEIGHTS
from trainer.datasets.inspection import Fault
from trainer.errors import counted

_SHOWN = 20
_SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True)
class SplitLabels:
    """The labels of a split: pixels int64 [N, C] of each class in each image, and the number of ignored pixels."""

    counts: NDArray[np.int64]
    ignored: int


@dataclass(frozen=True)
class ValidationReport:
    """Errors, with which no training starts; warnings; and the labels of each split."""

    root: Path
    classes: tuple[ClassInfo, ...]
    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    labels: dict[str, SplitLabels]

    def summary(self) -> str:
        """The numbers of images, errors and warnings."""
        images = sum(len(labels.counts) for labels in self.labels.values())
        return ", ".join(
            counted(number, noun)
            for number, noun in ((images, "image"), (len(self.errors), "error"), (len(self.warnings), "warning"))
        )

    def class_weights(self) -> dict[str, list[float]]:
        """Suggested weights by method, from the training images; none if nothing is labelled."""
        if "train" not in self.labels or not self.labels["train"].counts.any():
            return {}
        counts = self.labels["train"].counts
        return {name: [_rounded(w) for w in weigh(counts)] for name, weigh in CLASS_WEIGHTS.items()}

    def as_json(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "data": str(self.root),
            "sound": not self.errors,
            "errors": [asdict(fault) for fault in self.errors],
            "warnings": [asdict(fault) for fault in self.warnings],
            "images": {name: len(labels.counts) for name, labels in self.labels.items()},
            "ignored_pixels": {name: labels.ignored for name, labels in self.labels.items()},
            "classes": [
                {
                    **asdict(c),
                    "pixels": {name: int(labels.counts[:, c.id].sum()) for name, labels in self.labels.items()},
                    "images": {
                        name: int(labels.counts[:, c.id].astype(bool).sum()) for name, labels in self.labels.items()
                    },
                }
                for c in self.classes
            ],
            "class_weights": self.class_weights(),
        }

    def __str__(self) -> str:
        parts = [_table(self.classes, self.labels)] if self.labels else []
        parts += [_listed("error", self.errors), _listed("warning", self.warnings)]
        if weights := self.class_weights():
            parts.append("class weights, from the training images, for a recipe:")
            parts += [f"  class_weights: {values}  # {name}" for name, values in weights.items()]
        return "\n".join(part for part in parts if part)


def _listed(kind: str, faults: Sequence[Fault]) -> str:
    lines = [f"{kind}: {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"{kind}: {len(faults) - _SHOWN:,} more; --report FILE writes all")
    return "\n".join(lines)


def _table(classes: Sequence[ClassInfo], labels: dict[str, SplitLabels]) -> str:
    """For each class its fraction of the labelled pixels in each split, and the number of images with it."""
    width = max(20, *(len(c.name) for c in classes))
    header = "".join(f"{f'{name} ({len(of.counts):,} images)':>28}" for name, of in labels.items())
    lines = [" " * (width + 2) + header]
    for c in classes:
        cells = ""
        for of in labels.values():
            pixels, images = int(of.counts[:, c.id].sum()), int(of.counts[:, c.id].astype(bool).sum())
            cells += f"{f'{pixels / max(1, of.counts.sum()):.3%} in {images:,}' if pixels else 'never':>28}"
        lines.append(f"  {c.name:<{width}}{cells}")
    if any(of.ignored for of in labels.values()):
        fractions = (of.ignored / max(1, of.counts.sum() + of.ignored) for of in labels.values())
        lines.append(f"  {'(ignored)':<{width}}" + "".join(f"{f'{fraction:.3%} of all':>28}" for fraction in fractions))
    return "\n".join(lines)


def _rounded(weight: float) -> float:
    return float(f"{weight:.{_SIGNIFICANT_DIGITS}g}")
