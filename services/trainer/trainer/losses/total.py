"""The losses that a recipe lists, computed and summed."""

from collections.abc import Callable, Sequence

from contract import IGNORE_ID
from trainer.losses.loss import Loss, Tensor, Terms, ops


def loss_terms(loss: Loss, labels: Tensor, logits: Tensor, ignore_index: int = IGNORE_ID) -> Terms:
    """Sum and count of one loss, without its weight, in float32 for any dtype of logits.

    Args:
        loss: which loss, with its options.
        labels: integer class ids [N, H, W]; ``ignore_index`` marks pixels that have no influence.
        logits: [N, H, W, C].
        ignore_index: the id that is no class.

    Raises:
        ValueError: the labels' grid is not the logits', or an option does not fit the number of classes.
    """
    _check_grid(labels, logits)
    return loss.terms(labels, ops.cast(logits, "float32"), ignore_index)


def total_loss(
    losses: Sequence[Loss],
    labels: Tensor,
    logits: Tensor,
    ignore_index: int = IGNORE_ID,
    over_devices: Callable[[Tensor], Tensor] = lambda count: count,
) -> Tensor:
    """The weighted sum of ``losses``, a scalar; zero, with zero gradients, where every pixel is ignored.

    ``over_devices`` sums a count over the devices that a batch is divided among: each of them gets its part of the
    batch's loss. The other arguments and the errors are those of :func:`loss_terms`.
    """
    total = 0.0
    for loss in losses:
        value, count = loss_terms(loss, labels, logits, ignore_index)
        total = total + loss.weight * value / ops.maximum(over_devices(count), 1e-6)
    return total


def _check_grid(labels: Tensor, logits: Tensor) -> None:
    if len(labels.shape) != 3 or len(logits.shape) != 4:
        raise ValueError(
            f"labels are {tuple(labels.shape)}, logits {tuple(logits.shape)}: expected [N, H, W] and [N, H, W, C]"
        )
    theirs, ours = tuple(labels.shape[1:]), tuple(logits.shape[1:3])
    if any(a is not None and b is not None and a != b for a, b in zip(theirs, ours, strict=True)):
        raise ValueError(
            f"labels are {theirs[0]}x{theirs[1]}, logits {ours[0]}x{ours[1]} (height x width): "
            "upsample the logits to the labels' size; a label is never resized to fit"
        )
