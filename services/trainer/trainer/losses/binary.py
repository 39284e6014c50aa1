"""Losses over a sigmoid per channel: one channel is foreground against background, several are one against the rest."""

from keras import KerasTensor, ops

from trainer.ignore_index import targets_and_weights
from trainer.losses.focal import modulation
from trainer.losses.terms import Terms


def binary_cross_entropy(labels: KerasTensor, logits: KerasTensor, ignore_index: int) -> Terms:
    """Mean, over the pixels that count and over channels, of ``-log p`` of what is true."""
    targets, counted = targets_and_weights(labels, ignore_index)
    losses, _ = _surprise(targets, logits)
    return ops.sum(ops.mean(losses, axis=-1) * counted), ops.sum(counted)


def binary_focal(
    labels: KerasTensor, logits: KerasTensor, ignore_index: int, gamma: float = 2.0, alpha: float | None = None
) -> Terms:
    """Focal loss (arXiv 1708.02002) over sigmoids, mean over the pixels that count and over channels.

    ``alpha`` weighs the positive pixels of a channel and 1 - alpha its negative ones; None weighs both 1.
    """
    targets, counted = targets_and_weights(labels, ignore_index)
    losses, positive = _surprise(targets, logits)
    losses = modulation(losses, gamma) * losses
    if alpha is not None:
        losses = losses * ops.where(positive > 0, alpha, 1 - alpha)
    return ops.sum(ops.mean(losses, axis=-1) * counted), ops.sum(counted)


def _surprise(targets: KerasTensor, logits: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """Each sigmoid's ``-log p`` of what is true, and what is true, 0 or 1: both [N, H, W, C]."""
    channels = logits.shape[-1]
    positive = ops.one_hot(targets, channels) if channels > 1 else ops.cast(targets[..., None] == 1, "float32")
    return ops.softplus((1 - 2 * positive) * logits), positive
