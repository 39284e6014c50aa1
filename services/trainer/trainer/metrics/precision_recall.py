"""Precision and recall of a class's pixels, and Dice, their harmonic mean."""

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.metric import Measured, Metric, ratio


class Precision(Metric):
    """Fraction of the pixels predicted as a class that are of it; NaN for a class that was never predicted."""

    name = "precision"
    title = "precision"

    def per_class(self, measured: Measured) -> NDArray[np.float64]:  # noqa: D102
        return ratio(measured.confusion.correct, measured.confusion.predicted)


class Recall(Metric):
    """Fraction of a class's labelled pixels that were found; NaN for a class that is in no label."""

    name = "recall"
    title = "recall"

    def per_class(self, measured: Measured) -> NDArray[np.float64]:  # noqa: D102
        return ratio(measured.confusion.correct, measured.confusion.labelled)


class Dice(Metric):
    """``2 TP / (2 TP + FP + FN)``, the F1 of a class's pixels; NaN for a class in neither labels nor predictions."""

    name = "dice"
    title = "Dice"
    overall_name = "dice"
    overall_title = "mean Dice"

    def per_class(self, measured: Measured) -> NDArray[np.float64]:  # noqa: D102
        confusion = measured.confusion
        return ratio(2 * confusion.correct, confusion.labelled + confusion.predicted)
