"""Cross entropy over softmax, and two that emphasise hard pixels: online hard example mining and focal loss."""

import math

from pydantic import Field

from trainer.losses.loss import Loss, PerClass, Tensor, Terms, ops
from trainer.losses.terms import by_class, targets_and_weights


class CrossEntropy(Loss):
    """Mean over the pixels that count, with weights and smoothing as PyTorch defines them.

    A pixel has the weight of its label's class, and the mean is over those weights. Smoothing by e gives every class
    e / C of the target (arXiv 1512.00567).

    ``class_weights``: one per class, in id order. ``label_smoothing``: the fraction spread over all classes.
    """

    name = "cross_entropy"
    class_weight_option = "class_weights"
    class_weights: PerClass | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        targets, counted = targets_and_weights(labels, ignore_index)
        weight_of = by_class(self.class_weights, logits.shape[-1], "class_weights")
        weights = counted * ops.take(weight_of, targets)
        losses = weights * ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        if self.label_smoothing:
            uniform = -ops.mean(weight_of * ops.log_softmax(logits), axis=-1)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * counted * uniform
        return ops.sum(losses), ops.sum(weights)


class OhemCrossEntropy(Loss):
    """Mean over the hard pixels only: those whose true class has a probability below ``threshold``.

    Where fewer than ``min_kept`` pixels of the batch are that hard, the threshold rises until they are (ties aside).
    As HRNet's and the DDRNet authors' training code does it, weights outside the mean included; see arXiv 1604.03540.

    ``threshold``: true-class probability from which a pixel is easy. ``min_kept``: pixels of a device's batch.
    """

    name = "ohem_cross_entropy"
    class_weight_option = "class_weights"
    threshold: float = Field(0.9, gt=0, le=1)
    min_kept: int = Field(131_072, ge=1)
    class_weights: PerClass | None = None

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        targets, counted = targets_and_weights(labels, ignore_index)
        losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        # A loss is the probability's negative logarithm: the hardest pixels are the largest losses. Ignored ones sort
        # last.
        descending = -ops.sort(ops.reshape(-ops.stop_gradient(ops.where(counted > 0, losses, -1.0)), [-1]))
        last = ops.minimum(self.min_kept, ops.cast(ops.sum(counted), "int32") - 1)
        bound = ops.minimum(ops.take(descending, ops.maximum(last, 0)), -math.log(self.threshold))
        kept = counted * ops.cast(losses > bound, "float32")
        weights = ops.take(by_class(self.class_weights, logits.shape[-1], "class_weights"), targets)
        return ops.sum(losses * weights * kept), ops.sum(kept)


class Focal(Loss):
    """Easy pixels count less (Lin et al., arXiv 1708.02002).

    The mean of ``-alpha_y (1 - p_y)^gamma log p_y`` over the pixels that count.

    ``gamma``: 0 is cross entropy. ``alpha``: a weight per class, in id order.
    """

    name = "focal"
    class_weight_option = "alpha"
    gamma: float = Field(2.0, ge=0)
    alpha: PerClass | None = None

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        targets, counted = targets_and_weights(labels, ignore_index)
        weights = counted * ops.take(by_class(self.alpha, logits.shape[-1], "alpha"), targets)
        losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        return ops.sum(weights * modulation(losses, self.gamma) * losses), ops.sum(counted)


def modulation(cross_entropy: Tensor, gamma: float) -> Tensor:
    """``(1 - p)^gamma`` where ``cross_entropy`` is ``-log p``; with finite gradients also where p is 1."""
    # Below gamma 1 the power's slope at zero is infinite.
    return ops.maximum(-ops.expm1(-cross_entropy), 1e-7) ** gamma
