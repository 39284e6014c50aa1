"""Losses on how well the soft masks of an image overlap its labels: Dice, Jaccard, Tversky.

All are ``1 - (TP + s) / (TP + a FP + b FN + s)``, the counts being sums of probabilities over the pixels of one image
that count; the mean is over the classes that the image's labels have, then over images.
"""

from keras import KerasTensor, ops

from trainer.losses.terms import Terms, mean_over_present, soft_masks


def dice(labels: KerasTensor, logits: KerasTensor, ignore_index: int, smooth: float = 1.0) -> Terms:
    """One minus ``(2 TP + s) / (2 TP + FP + FN + s)`` (Milletari et al., arXiv 1606.04797, without their squares)."""
    return tversky(labels, logits, ignore_index, 0.5, 0.5, smooth / 2)


def jaccard(labels: KerasTensor, logits: KerasTensor, ignore_index: int, smooth: float = 1.0) -> Terms:
    """One minus the soft intersection over union."""
    return tversky(labels, logits, ignore_index, 1.0, 1.0, smooth)


def tversky(
    labels: KerasTensor,
    logits: KerasTensor,
    ignore_index: int,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> Terms:
    """False positives weighed by ``alpha``, false negatives by ``beta`` (Salehi et al., arXiv 1706.05721)."""
    predicted, true = soft_masks(labels, logits, ignore_index)
    both, positive, actual = (ops.sum(pixels, axis=(1, 2)) for pixels in (predicted * true, predicted, true))
    score = (both + smooth) / (both + alpha * (positive - both) + beta * (actual - both) + smooth)
    return mean_over_present(1 - score, ops.cast(actual > 0, "float32"))
