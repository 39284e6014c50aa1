"""Pixel accuracy, over all classes together: large classes decide it."""

import numpy as np

from trainer.metrics.metric import Measured, Metric


class PixelAccuracy(Metric):
    """Fraction of the pixels that count whose prediction is their label; 0 when nothing was counted."""

    overall_name = "pixel_accuracy"
    overall_title = "pixel accuracy"

    def per_class(self, measured: Measured) -> None:  # noqa: D102
        return None

    def overall(self, measured: Measured) -> float:  # noqa: D102
        counts = measured.confusion.counts
        return float(np.trace(counts) / max(1, counts.sum()))
