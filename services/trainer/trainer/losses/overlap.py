"""Losses on how well the soft masks of an image overlap its labels: Dice, Jaccard, Tversky, Lovász.

The first three are ``1 - (TP + s) / (TP + a FP + b FN + s)``, the counts being sums of probabilities over the pixels of
one image that count; the mean is over the classes that the image's labels have, then over images.
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


class Lovasz(Loss):
    """Lovász-softmax (Berman et al., arXiv 1705.08790): the tight convex extension of the Jaccard loss.

    Mean over the classes that an image's labels have, then over images; no option but the weight.

    Sorts the errors of every class of every image, which takes several times the probabilities' memory.
    """

    name = "lovasz"

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        predicted, true = (_planes(mask) for mask in soft_masks(labels, logits, ignore_index))
        errors = ops.abs(true - predicted)
        # Ignored pixels, whose error is 0, sort behind all others: there they change no step that counts.
        order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
        errors, true = (ops.take_along_axis(plane, order, axis=-1) for plane in (errors, true))
        losses = ops.sum(errors * _jaccard_steps(true), axis=-1)
        return mean_over_present(losses, ops.cast(ops.sum(true, axis=-1) > 0, "float32"))


def _planes(mask: Tensor) -> Tensor:
    """[N, H, W, C] to [N, C, H W]."""
    images, height, width, channels = ops.shape(mask)
    return ops.reshape(ops.transpose(mask, (0, 3, 1, 2)), (images, channels, height * width))


def _jaccard_steps(true: Tensor) -> Tensor:
    """What each further pixel, from the worst error down, adds to the Jaccard loss: the paper's algorithm 1."""
    positives = ops.sum(true, axis=-1, keepdims=True)
    union = positives + ops.cumsum(1 - true, axis=-1)
    loss = 1 - (positives - ops.cumsum(true, axis=-1)) / ops.maximum(union, 1.0)
    return ops.concatenate([loss[..., :1], loss[..., 1:] - loss[..., :-1]], axis=-1)
