"""How far two models' masks agree, pixel by pixel; the source's is taken for the truth."""

from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Counts over all images.

    ``confusion`` [C, C]: pixels of a class (row) that the other model gives a class (column). ``shares``: of each
    image, the share of pixels that keep their class.
    """

    confusion: Any
    shares: Tuple[float, ...]

    @property
    def share(self) -> float:
        """Of all pixels, the share that keeps its class."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def iou(self) -> Any:
        """Intersection over union of each class [C], NaN for one that neither model sees."""
        both = np.diag(self.confusion).astype(np.float64)
        either = self.confusion.sum(0) + self.confusion.sum(1) - both
        return np.divide(both, either, out=np.full(len(either), np.nan), where=either > 0)

    @property
    def miou(self) -> float:
        """The mean over the classes that either model sees."""
        return float(np.nanmean(self.iou))

    @property
    def worst(self) -> int:
        """Which image agrees least."""
        return int(np.argmin(self.shares))

    def swaps(self) -> List[Tuple[int, int, int]]:
        """Where they differ: (class, what it became, pixels), the most pixels first."""
        rows, columns = np.nonzero(self.confusion - np.diag(np.diag(self.confusion)))
        found = [(int(row), int(column), int(self.confusion[row, column])) for row, column in zip(rows, columns)]
        return sorted(found, key=lambda swap: -swap[2])


def compare(expected: Sequence[Any], actual: Sequence[Any]) -> Agreement:
    """Compare two lists of masks [H, W].

    Raises:
        ValueError: two masks differ in shape.
    """
    classes = 1 + max(int(mask.max()) for mask in (*expected, *actual))
    confusion = np.zeros((classes, classes), np.int64)
    shares = []
    for truth, guess in zip(expected, actual):
        if truth.shape != guess.shape:
            raise ValueError(f"a mask of {guess.shape}: expected {truth.shape}")
        pairs = truth.astype(np.int64).ravel() * classes + guess.astype(np.int64).ravel()
        confusion += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        shares.append(float((truth == guess).mean()))
    return Agreement(confusion, tuple(shares))
