"""What a confusion matrix, summed image by image, says: intersection over union, Dice, accuracy."""

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID
from trainer.ignore_index import counted


class ConfusionMatrix:
    """Counts of (label, prediction) over every pixel whose label is not ignored; memory does not grow with images."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, labels: NDArray, predictions: NDArray) -> None:
        """Count the pixels of one image or batch: two integer arrays of one shape.

        Raises:
            ValueError: shapes differ, or an id is neither a class nor (in the labels) the ignore id.
        """
        if labels.shape != predictions.shape:
            raise ValueError(f"labels are {labels.shape}, predictions {predictions.shape}: expected the same shape")
        valid = counted(labels, IGNORE_ID)
        truth, guess = labels[valid].astype(np.int64), predictions[valid].astype(np.int64)
        classes = len(self.counts)
        for what, ids in (("label", truth), ("prediction", guess)):
            if ids.size and not 0 <= ids.min() <= ids.max() < classes:
                raise ValueError(f"a {what} has id {ids.max()}: expected 0 to {classes - 1}")
        self.counts += np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union [C], NaN for a class that is in neither labels nor predictions."""
        right, labelled, predicted = self._sums()
        return _ratio(right, labelled + predicted - right)

    def miou(self) -> float:
        """The mean of :meth:`iou` over the classes that are there; 0 when nothing was counted."""
        return mean_of_present(self.iou())

    def dice(self) -> NDArray[np.float64]:
        """Dice coefficient [C], which is the F1 of a class's pixels; NaN where :meth:`iou` is."""
        right, labelled, predicted = self._sums()
        return _ratio(2 * right, labelled + predicted)

    def recall(self) -> NDArray[np.float64]:
        """Share of a class's labelled pixels that were found [C]; NaN for a class that is in no label."""
        right, labelled, _ = self._sums()
        return _ratio(right, labelled)

    def precision(self) -> NDArray[np.float64]:
        """Share of the pixels predicted as a class that are of it [C]; NaN for a class that was never predicted."""
        right, _, predicted = self._sums()
        return _ratio(right, predicted)

    def pixel_accuracy(self) -> float:
        """Share of the counted pixels that are right; 0 when nothing was counted."""
        return float(np.trace(self.counts) / max(1, self.counts.sum()))

    def _sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pixels of each class [C]: right, labelled, predicted."""
        return np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)


def mean_of_present(values: NDArray[np.float64]) -> float:
    """The mean of what is not NaN; 0 when nothing is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else 0.0


def _ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
