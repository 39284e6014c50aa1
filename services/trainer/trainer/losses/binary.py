"""Losses over a sigmoid per channel: one channel is foreground against background, several are one against the rest."""

from pydantic import Field

from trainer.losses.cross_entropy import modulation
from trainer.losses.loss import Loss, Tensor, Terms, ops
from trainer.losses.terms import targets_and_weights


class BinaryCrossEntropy(Loss):
    """Mean, over the pixels that count and over channels, of ``-log p`` of the truth; no option but the weight."""

    name = "binary_cross_entropy"

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        targets, counted = targets_and_weights(labels, ignore_index)
        losses, _ = _negative_log_likelihood(targets, logits)
        return ops.sum(ops.mean(losses, axis=-1) * counted), ops.sum(counted)


class BinaryFocal(Loss):
    """Focal loss (arXiv 1708.02002) over sigmoids, mean over the pixels that count and over channels.

    ``gamma``: 0 is binary cross entropy. ``alpha``: the weight of a channel's positive pixels, 1 - alpha that of its
    negative ones; None weighs both 1.
    """

    name = "binary_focal"
    gamma: float = Field(2.0, ge=0)
    alpha: float | None = Field(None, ge=0, le=1)

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        targets, counted = targets_and_weights(labels, ignore_index)
        losses, positive = _negative_log_likelihood(targets, logits)
        losses = modulation(losses, self.gamma) * losses
        if self.alpha is not None:
            losses = losses * ops.where(positive > 0, self.alpha, 1 - self.alpha)
        return ops.sum(ops.mean(losses, axis=-1) * counted), ops.sum(counted)


def _negative_log_likelihood(targets: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Each sigmoid's ``-log p`` of the truth, and the truth, 0 or 1: both [N, H, W, C]."""
    channels = logits.shape[-1]
    positive = ops.one_hot(targets, channels) if channels > 1 else ops.cast(targets[..., None] == 1, "float32")
    return ops.softplus((1 - 2 * positive) * logits), positive
