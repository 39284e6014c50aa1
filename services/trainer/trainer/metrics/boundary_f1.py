"""Boundary F1: how well outlines match, regardless of the area inside them.

Csurka, Larlus, Perronnin: What is a good evaluation measure for semantic segmentation? BMVC 2013.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID
from trainer.metrics.confusion import counted
from trainer.metrics.metric import ImageMetric

# The paper's tolerance, as a fraction of the image's diagonal.
TOLERANCE = 0.0075

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class BoundaryF1(ImageMetric):
    """F1 of outlines that match within ``tolerance``, a fraction of the image's diagonal; None: not measured."""

    name = "boundary_f1"
    title = "boundary F1"
    overall_name = "boundary_f1"
    overall_title = "boundary F1"

    def __init__(self, tolerance: float | None = TOLERANCE) -> None:
        self.tolerance = tolerance
        self.note = "" if tolerance is None else f"within {tolerance:.2%} of the diagonal"

    @property
    def is_measured(self) -> bool:  # noqa: D102
        return self.tolerance is not None

    def options(self) -> dict[str, Any]:  # noqa: D102
        return {"boundary_tolerance": self.tolerance}

    def pixels(self, height: int, width: int) -> float:
        """The tolerance in pixels of an image of this size, at least one."""
        return max(1.0, (self.tolerance or 0.0) * float(np.hypot(height, width)))

    def of_image(self, labels: NDArray[np.uint8], predictions: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
        """F1 of each class's outlines [C] in one image, uint8 [H, W] both.

        Precision is the fraction of the predicted outline's pixels that have one of the label's within the tolerance,
        recall the other way round. NaN for a class that has an outline in neither. The image's own border is no
        outline, nor is one along ignored pixels, where the other side is unknown.
        """
        valid = counted(labels, IGNORE_ID)
        reach = self.pixels(*labels.shape)
        scores = np.full(classes, np.nan)
        for c in range(classes):
            inside = [(ids == c) & valid for ids in (labels, predictions)]
            here = _around(inside[0] | inside[1])
            truth, guess = (_outline(one[here], valid[here]) for one in inside)
            if truth.any() or guess.any():
                scores[c] = _f1(truth, guess, reach)
        return scores


def _around(points: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that hold all points and their neighbours: the rest does not affect a class."""
    left, top, width, height = cv2.boundingRect(points.astype(np.uint8))
    return slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)


def _outline(inside: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the class that touch, above, below or to a side, one that is known to be of another."""
    outside = (valid & ~inside).astype(np.uint8)
    return inside & cv2.dilate(outside, _CROSS).astype(bool)


def _f1(truth: NDArray[np.bool_], guess: NDArray[np.bool_], reach: float) -> float:
    precision, recall = _fraction_near(guess, truth, reach), _fraction_near(truth, guess, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _fraction_near(points: NDArray[np.bool_], others: NDArray[np.bool_], reach: float) -> float:
    """The fraction of ``points`` with one of ``others`` within ``reach`` pixels; 0 without any of either."""
    if not points.any() or not others.any():
        return 0.0
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.mean(distance[points] <= reach))
