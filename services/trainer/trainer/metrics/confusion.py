"""Pixels counted by label and prediction: what most metrics are computed from."""

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID


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

    @property
    def correct(self) -> NDArray[np.int64]:
        """Pixels of each class [C] whose prediction is their label."""
        return np.diag(self.counts)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Pixels labelled as each class [C]."""
        return self.counts.sum(1)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Pixels predicted as each class [C]."""
        return self.counts.sum(0)


def counted(labels: NDArray, ignore_index: int) -> NDArray[np.bool_]:
    """Where a label counts: boolean, shaped like ``labels``. Every metric ignores pixels through this."""
    return labels != ignore_index
