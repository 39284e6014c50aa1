"""The losses that a recipe lists, computed and summed."""

from collections.abc import Callable, Sequence

from keras import KerasTensor, ops

from contract import IGNORE_ID
from trainer.losses.binary import binary_cross_entropy, binary_focal
from trainer.losses.boundary import boundary
from trainer.losses.cross_entropy import cross_entropy, ohem_cross_entropy
from trainer.losses.focal import focal
from trainer.losses.lovasz import lovasz
from trainer.losses.overlap import dice, jaccard, tversky
from trainer.losses.registry import Loss
from trainer.losses.terms import Terms

_FUNCTIONS: dict[str, Callable[..., Terms]] = {
    function.__name__: function
    for function in (
        binary_cross_entropy,
        binary_focal,
        boundary,
        cross_entropy,
        dice,
        focal,
        jaccard,
        lovasz,
        ohem_cross_entropy,
        tversky,
    )
}


def loss_terms(options: Loss, labels: KerasTensor, logits: KerasTensor, ignore_index: int = IGNORE_ID) -> Terms:
    """Sum and count of one loss, without its weight, in float32 whatever the logits are.

    Args:
        options: which loss, and how it is set.
        labels: integer class ids [N, H, W]; ``ignore_index`` marks pixels that have no influence.
        logits: [N, H, W, C].
        ignore_index: the id that is none.

    Raises:
        ValueError: the labels' grid is not the logits', or an option does not fit the number of classes.
    """
    _check_grid(labels, logits)
    settings = options.model_dump(exclude={"weight"})
    return _FUNCTIONS[options.name](labels, ops.cast(logits, "float32"), ignore_index, **settings)


def total_loss(
    losses: Sequence[Loss],
    labels: KerasTensor,
    logits: KerasTensor,
    ignore_index: int = IGNORE_ID,
    over_devices: Callable[[KerasTensor], KerasTensor] = lambda count: count,
) -> KerasTensor:
    """The weighted sum of ``losses``, a scalar; zero, with zero gradients, where every pixel is ignored.

    ``over_devices`` sums a count over the devices that a batch is divided among: what each of them gets is its part of
    the batch's loss. The other arguments and the errors are those of :func:`loss_terms`.
    """
    total = 0.0
    for options in losses:
        loss, count = loss_terms(options, labels, logits, ignore_index)
        total = total + options.weight * loss / ops.maximum(over_devices(count), 1e-6)
    return total


def _check_grid(labels: KerasTensor, logits: KerasTensor) -> None:
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
