"""Mean intersection over union from a confusion matrix that is summed image by image."""

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID
from trainer.ignore import counted


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
        intersection = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - intersection
        return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)

    def miou(self) -> float:
        """The mean of :meth:`iou` over the classes that are there; 0 when nothing was counted."""
        iou = self.iou()
        return float(np.nanmean(iou)) if not np.isnan(iou).all() else 0.0
