"""Boundary loss (Bokhovkin and Burnaev, arXiv 1905.07852): one minus a soft F1 of the classes' outlines."""

from typing import Annotated

from pydantic import AfterValidator, Field

from trainer.losses.loss import Loss, Tensor, Terms, ops
from trainer.losses.terms import mean_over_present, soft_masks, targets_and_weights

_EPSILON = 1e-7


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even: expected an odd number of pixels, which has a middle")
    return size


OddPixels = Annotated[int, Field(ge=3), AfterValidator(_odd)]


class Boundary(Loss):
    """Mean over the classes that have an outline in an image's labels, then over images.

    Use it together with another loss: it ignores a class away from its outline.

    ``thickness`` and ``tolerance`` are the sides of squares, odd, in pixels: a pixel within half of the first from
    another class is outline, and two outlines match within half of the second.
    """

    name = "boundary"
    thickness: OddPixels = 3
    tolerance: OddPixels = 5

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        counted = targets_and_weights(labels, ignore_index)[1][..., None]
        masks = soft_masks(labels, logits, ignore_index)
        predicted, true = (_outline(mask, counted, self.thickness) for mask in masks)
        length, true_length = (ops.sum(outline, axis=(1, 2)) for outline in (predicted, true))
        precision = ops.sum(predicted * _spread(true, self.tolerance), axis=(1, 2)) / (length + _EPSILON)
        recall = ops.sum(true * _spread(predicted, self.tolerance), axis=(1, 2)) / (true_length + _EPSILON)
        f1 = 2 * precision * recall / (precision + recall + _EPSILON)
        return mean_over_present(1 - f1, ops.cast(true_length > 0, "float32"))


def _outline(mask: Tensor, counted: Tensor, thickness: int) -> Tensor:
    """The inner rim of a soft mask. Ignored pixels are neither inside nor outside, so they have no rim."""
    outside = (1 - mask) * counted
    return (_spread(outside, thickness) - outside) * counted


def _spread(plane: Tensor, size: int) -> Tensor:
    """The largest value within a square of ``size`` pixels around each."""
    return ops.max_pool(plane, size, 1, "same")
