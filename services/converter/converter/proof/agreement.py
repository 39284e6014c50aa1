"""Pixel-wise agreement of two models' masks, with the source's masks as ground truth."""

from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Counts over all images.

    Attributes:
        confusion: int64 [C, C]: pixels of a source class (row) that the other model assigns to a class (column).
        fractions: per image, the fraction of pixels that keep their class.
    """

    confusion: Any
    fractions: Tuple[float, ...]

    @property
    def fraction(self) -> float:
        """The fraction of all pixels that keep their class."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def iou(self) -> Any:
        """Intersection over union per class [C], NaN for a class in neither model's masks."""
        intersection = np.diag(self.confusion).astype(np.float64)
        union = self.confusion.sum(0) + self.confusion.sum(1) - intersection
        return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)

    @property
    def miou(self) -> float:
        """The mean IoU of the classes in either model's masks."""
        return float(np.nanmean(self.iou))

    @property
    def worst(self) -> int:
        """The index of the image with the lowest agreement."""
        return int(np.argmin(self.fractions))

    def changes(self) -> List[Tuple[int, int, int]]:
        """The differences as (source's class, other model's class, pixels), most pixels first."""
        rows, columns = np.nonzero(self.confusion - np.diag(np.diag(self.confusion)))
        found = [(int(row), int(column), int(self.confusion[row, column])) for row, column in zip(rows, columns)]
        return sorted(found, key=lambda change: -change[2])


def compare(expected: Sequence[Any], actual: Sequence[Any]) -> Agreement:
    """Compare two lists of masks [H, W].

    Raises:
        ValueError: two masks differ in shape.
    """
    classes = 1 + max(int(mask.max()) for mask in (*expected, *actual))
    confusion = np.zeros((classes, classes), np.int64)
    fractions = []
    for truth, predicted in zip(expected, actual):
        if truth.shape != predicted.shape:
            raise ValueError(f"a mask of shape {predicted.shape}: expected {truth.shape}")
        pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
        confusion += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        fractions.append(float((truth == predicted).mean()))
    return Agreement(confusion, tuple(fractions))
