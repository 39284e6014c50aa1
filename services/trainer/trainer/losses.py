"""Losses on logits and class ids. A loss knows nothing of a network."""

from keras import KerasTensor, ops


def cross_entropy(labels: KerasTensor, logits: KerasTensor, ignore_index: int) -> KerasTensor:
    """Mean cross entropy over the pixels that are not ignored, computed in float32.

    Args:
        labels: integer class ids [N, H, W]; ``ignore_index`` marks pixels that must not count.
        logits: [N, H, W, C].

    Returns:
        A scalar; zero, with zero gradients, when every pixel is ignored.
    """
    valid = ops.cast(ops.not_equal(labels, ignore_index), "float32")
    # An ignored label is no index into the logits: any valid one does, as its loss is multiplied by zero.
    targets = ops.where(ops.equal(labels, ignore_index), ops.zeros_like(labels), labels)
    losses = ops.sparse_categorical_crossentropy(
        ops.cast(targets, "int32"), ops.cast(logits, "float32"), from_logits=True
    )
    return ops.sum(losses * valid) / ops.maximum(ops.sum(valid), 1.0)
