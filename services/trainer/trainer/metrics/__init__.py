"""Metrics, one class each: name, formula, heading. A new metric is a file with a ``Metric``, and one line here.

Evaluation, its summary, its JSON and its reports iterate over what :func:`create_metrics` returns.
"""

from trainer.metrics.accuracy import PixelAccuracy, Precision, Recall
from trainer.metrics.boundary_f1 import BoundaryF1
from trainer.metrics.metric import Metric
from trainer.metrics.overlap import Dice, IoU


def create_metrics(boundary_tolerance: float | None = None) -> tuple[Metric, ...]:
    """Every metric in the order of reports; the first is the one that networks are compared by.

    ``boundary_tolerance``: of boundary F1, a fraction of the image's diagonal; None leaves it out, which is slow.
    """
    return IoU(), PixelAccuracy(), Dice(), Recall(), Precision(), BoundaryF1(boundary_tolerance)
