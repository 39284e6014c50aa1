"""The one place that knows which pixels count. Every loss and every metric asks here."""

from typing import Any

from keras import KerasTensor, ops


def counted(labels: Any, ignore_index: int) -> Any:
    """Where a label counts: boolean, shaped like ``labels``, which may be a NumPy array or any backend's tensor."""
    return labels != ignore_index


def targets_and_weights(labels: KerasTensor, ignore_index: int) -> tuple[KerasTensor, KerasTensor]:
    """Labels as indices that are safe to gather with, and what each is worth.

    Returns:
        int32 class ids, 0 where ignored, for an ignored label is no index into the logits; and float32 of the same
        shape, 1 where the label counts and 0 where it does not.
    """
    valid = counted(labels, ignore_index)
    return ops.cast(ops.where(valid, labels, ops.zeros_like(labels)), "int32"), ops.cast(valid, "float32")
