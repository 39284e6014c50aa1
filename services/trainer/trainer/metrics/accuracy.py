"""Fractions of correct pixels: of all pixels, of those predicted as a class (precision), of those labelled (recall)."""

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.metric import Measured, Metric, ratio


class PixelAccuracy(Metric):
    """Over all classes together, so that large classes decide it; 0 when nothing was counted."""

    overall_name = "pixel_accuracy"
    overall_title = "pixel accuracy"

    def per_class(self, measured: Measured) -> None:  # noqa: D102
        return None

    def overall(self, measured: Measured) -> float:  # noqa: D102
        counts = measured.confusion.counts
        return float(np.trace(counts) / max(1, counts.sum()))


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
