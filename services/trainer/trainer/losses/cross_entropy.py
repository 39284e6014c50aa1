"""Cross entropy over softmax, and its online hard example mining."""

import math

from keras import KerasTensor, ops

from trainer.ignore_index import targets_and_weights
from trainer.losses.terms import Terms, by_class


def cross_entropy(
    labels: KerasTensor,
    logits: KerasTensor,
    ignore_index: int,
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Terms:
    """Mean over the pixels that count, with weights and smoothing as PyTorch defines them.

    A pixel weighs what the class of its label does, and the mean is over those weights. Smoothing by e gives every
    class a share of e / C of the target (arXiv 1512.00567).
    """
    targets, counted = targets_and_weights(labels, ignore_index)
    weight_of = by_class(class_weights, logits.shape[-1], "class_weights")
    weights = counted * ops.take(weight_of, targets)
    losses = weights * ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    if label_smoothing:
        uniform = -ops.mean(weight_of * ops.log_softmax(logits), axis=-1)
        losses = (1 - label_smoothing) * losses + label_smoothing * counted * uniform
    return ops.sum(losses), ops.sum(weights)


def ohem_cross_entropy(
    labels: KerasTensor,
    logits: KerasTensor,
    ignore_index: int,
    threshold: float = 0.9,
    min_kept: int = 131_072,
    class_weights: tuple[float, ...] | None = None,
) -> Terms:
    """Mean over the hard pixels alone: those whose true class got a probability below ``threshold``.

    Where fewer than ``min_kept`` pixels of the batch are that hard, the threshold rises until they are (ties aside).
    As HRNet's and the DDRNet authors' training code does it, weights outside the mean included; see arXiv 1604.03540.
    """
    targets, counted = targets_and_weights(labels, ignore_index)
    losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    # A loss is the probability's negative logarithm: the hardest pixels are the largest losses. Ignored ones sort last.
    descending = -ops.sort(ops.reshape(-ops.stop_gradient(ops.where(counted > 0, losses, -1.0)), [-1]))
    last = ops.minimum(min_kept, ops.cast(ops.sum(counted), "int32") - 1)
    bound = ops.minimum(ops.take(descending, ops.maximum(last, 0)), -math.log(threshold))
    kept = counted * ops.cast(losses > bound, "float32")
    weights = ops.take(by_class(class_weights, logits.shape[-1], "class_weights"), targets)
    return ops.sum(losses * weights * kept), ops.sum(kept)
