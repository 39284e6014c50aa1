"""Boundary loss (Bokhovkin and Burnaev, arXiv 1905.07852): one minus a soft F1 of the classes' outlines."""

from keras import KerasTensor, ops

from trainer.ignore_index import targets_and_weights
from trainer.losses.terms import Terms, mean_over_present, soft_masks

_EPSILON = 1e-7


def boundary(
    labels: KerasTensor, logits: KerasTensor, ignore_index: int, thickness: int = 3, tolerance: int = 5
) -> Terms:
    """Mean over the classes that have an outline in an image's labels, then over images.

    For use beside another loss: it says nothing about a class away from its outline. ``thickness`` and ``tolerance``
    are sides of squares, odd, in pixels: what lies within half of the first from another class is outline, and two
    outlines match within half of the second.
    """
    counted = targets_and_weights(labels, ignore_index)[1][..., None]
    predicted, true = (_outline(mask, counted, thickness) for mask in soft_masks(labels, logits, ignore_index))
    length, true_length = (ops.sum(outline, axis=(1, 2)) for outline in (predicted, true))
    precision = ops.sum(predicted * _spread(true, tolerance), axis=(1, 2)) / (length + _EPSILON)
    recall = ops.sum(true * _spread(predicted, tolerance), axis=(1, 2)) / (true_length + _EPSILON)
    f1 = 2 * precision * recall / (precision + recall + _EPSILON)
    return mean_over_present(1 - f1, ops.cast(true_length > 0, "float32"))


def _outline(mask: KerasTensor, counted: KerasTensor, thickness: int) -> KerasTensor:
    """The inner rim of a soft mask. What is ignored is neither inside nor outside, so it makes no rim."""
    outside = (1 - mask) * counted
    return (_spread(outside, thickness) - outside) * counted


def _spread(plane: KerasTensor, size: int) -> KerasTensor:
    """The largest value within a square of ``size`` pixels around each."""
    return ops.max_pool(plane, size, 1, "same")
