"""Focal loss (Lin et al., arXiv 1708.02002) over softmax: easy pixels count less."""

from keras import KerasTensor, ops

from trainer.ignore_index import targets_and_weights
from trainer.losses.terms import Terms, by_class


def focal(
    labels: KerasTensor,
    logits: KerasTensor,
    ignore_index: int,
    gamma: float = 2.0,
    alpha: tuple[float, ...] | None = None,
) -> Terms:
    """Mean of ``-alpha_y (1 - p_y)^gamma log p_y`` over the pixels that count."""
    targets, counted = targets_and_weights(labels, ignore_index)
    weights = counted * ops.take(by_class(alpha, logits.shape[-1], "alpha"), targets)
    losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return ops.sum(weights * modulation(losses, gamma) * losses), ops.sum(counted)


def modulation(cross_entropy: KerasTensor, gamma: float) -> KerasTensor:
    """``(1 - p)^gamma`` where ``cross_entropy`` is ``-log p``; with finite gradients also where p is 1."""
    # Below gamma 1 the power's slope at zero is infinite.
    return ops.maximum(-ops.expm1(-cross_entropy), 1e-7) ** gamma
