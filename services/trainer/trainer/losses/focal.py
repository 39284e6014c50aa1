"""Focal loss (Lin et al., arXiv 1708.02002) over softmax: easy pixels count less."""

from pydantic import Field

from trainer.losses.loss import Loss, PerClass, Tensor, Terms, ops
from trainer.losses.terms import by_class, targets_and_weights


class Focal(Loss):
    """Mean of ``-alpha_y (1 - p_y)^gamma log p_y`` over the pixels that count.

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
