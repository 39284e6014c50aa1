"""Losses on how well the soft masks of an image overlap its labels: Dice, Jaccard, Tversky.

All are ``1 - (TP + s) / (TP + a FP + b FN + s)``, the counts being sums of probabilities over the pixels of one image
that count; the mean is over the classes that the image's labels have, then over images.
"""

from pydantic import Field

from trainer.losses.loss import Loss, Tensor, Terms, ops
from trainer.losses.terms import mean_over_present, soft_masks


class Dice(Loss):
    """One minus ``(2 TP + s) / (2 TP + FP + FN + s)`` (Milletari et al., arXiv 1606.04797, without their squares).

    ``smooth``: in pixels, added to numerator and denominator.
    """

    name = "dice"
    smooth: float = Field(1.0, gt=0)

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        return _tversky(labels, logits, ignore_index, 0.5, 0.5, self.smooth / 2)


class Jaccard(Loss):
    """One minus the soft intersection over union. ``smooth``: in pixels, added to numerator and denominator."""

    name = "jaccard"
    smooth: float = Field(1.0, gt=0)

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        return _tversky(labels, logits, ignore_index, 1.0, 1.0, self.smooth)


class Tversky(Loss):
    """Salehi et al., arXiv 1706.05721.

    ``alpha``: weight of false positives. ``beta``: of false negatives. ``smooth``: in pixels.
    """

    name = "tversky"
    alpha: float = Field(0.3, ge=0)
    beta: float = Field(0.7, ge=0)
    smooth: float = Field(1.0, gt=0)

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        return _tversky(labels, logits, ignore_index, self.alpha, self.beta, self.smooth)


def _tversky(labels: Tensor, logits: Tensor, ignore_index: int, alpha: float, beta: float, smooth: float) -> Terms:
    predicted, true = soft_masks(labels, logits, ignore_index)
    both, positive, actual = (ops.sum(pixels, axis=(1, 2)) for pixels in (predicted * true, predicted, true))
    score = (both + smooth) / (both + alpha * (positive - both) + beta * (actual - both) + smooth)
    return mean_over_present(1 - score, ops.cast(actual > 0, "float32"))
