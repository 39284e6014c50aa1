"""Boundary F1: how well outlines lie where they should, whatever the area inside them.

Csurka, Larlus, Perronnin: What is a good evaluation measure for semantic segmentation? BMVC 2013.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID
from trainer.ignore import counted

# The paper's tolerance.
SHARE_OF_DIAGONAL = 0.0075


@dataclass(frozen=True)
class Boundary:
    """How far outlines may lie apart: a share of the image's diagonal, at least one pixel."""

    share_of_diagonal: float = SHARE_OF_DIAGONAL

    def tolerance(self, height: int, width: int) -> float:
        """In pixels of an image of this size."""
        return max(1.0, self.share_of_diagonal * float(np.hypot(height, width)))

    def f1(self, labels: NDArray[np.uint8], predictions: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
        """F1 of each class's outlines [C] in one image, uint8 [H, W] both.

        Precision is the share of the predicted outline's pixels that have one of the label's within the tolerance,
        recall the other way round. NaN for a class that has an outline in neither. The image's own border is no
        outline, nor is one along ignored pixels, where nobody knows what is on the other side.
        """
        valid = counted(labels, IGNORE_ID)
        reach = self.tolerance(*labels.shape)
        scores = np.full(classes, np.nan)
        present = np.union1d(np.unique(labels[valid]), np.unique(predictions[valid]))
        for c in present:
            truth, guess = _outline(labels == c, valid), _outline(predictions == c, valid)
            if truth.any() or guess.any():
                scores[c] = _f1(truth, guess, reach)
        return scores


def _outline(inside: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the class that touch, above, below or beside, one that is known to be of another."""
    outside, inside = valid & ~inside, valid & inside
    outline = np.zeros_like(inside)
    outline[1:] |= inside[1:] & outside[:-1]
    outline[:-1] |= inside[:-1] & outside[1:]
    outline[:, 1:] |= inside[:, 1:] & outside[:, :-1]
    outline[:, :-1] |= inside[:, :-1] & outside[:, 1:]
    return outline


def _f1(truth: NDArray[np.bool_], guess: NDArray[np.bool_], reach: float) -> float:
    precision, recall = _share_near(guess, truth, reach), _share_near(truth, guess, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(points: NDArray[np.bool_], others: NDArray[np.bool_], reach: float) -> float:
    """The share of ``points`` with one of ``others`` within ``reach`` pixels; 0 without any of either."""
    if not points.any() or not others.any():
        return 0.0
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.mean(distance[points] <= reach))
