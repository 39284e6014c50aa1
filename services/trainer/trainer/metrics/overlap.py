"""Overlap of predicted and labelled pixels: intersection over union, whose mean over classes is the mIoU; and Dice."""

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.metric import Measured, Metric, mean_of_present, ratio


def iou(confusion: ConfusionMatrix) -> NDArray[np.float64]:
    """``TP / (TP + FP + FN)`` of each class [C], NaN for a class that is in neither labels nor predictions."""
    return ratio(confusion.correct, confusion.labelled + confusion.predicted - confusion.correct)


def mean_iou(confusion: ConfusionMatrix) -> float:
    """The mean of :func:`iou` over the classes that occur; 0 when nothing was counted."""
    return mean_of_present(iou(confusion))


class IoU(Metric):
    """See :func:`iou`."""

    name = "iou"
    title = "IoU"
    overall_name = "miou"
    overall_title = "mIoU"

    def per_class(self, measured: Measured) -> NDArray[np.float64]:  # noqa: D102
        return iou(measured.confusion)


class Dice(Metric):
    """``2 TP / (2 TP + FP + FN)``, the F1 of a class's pixels; NaN for a class in neither labels nor predictions."""

    name = "dice"
    title = "Dice"
    overall_name = "dice"
    overall_title = "mean Dice"

    def per_class(self, measured: Measured) -> NDArray[np.float64]:  # noqa: D102
        confusion = measured.confusion
        return ratio(2 * confusion.correct, confusion.labelled + confusion.predicted)
