"""What a loss's function returns, and what several of them share."""

from keras import KerasTensor, ops

from trainer.ignore_index import targets_and_weights

# A sum and a count, two float32 scalars whose quotient is the loss. Both can be summed over devices before dividing,
# so that a batch gives the same gradients however it is divided.
Terms = tuple[KerasTensor, KerasTensor]


def by_class(weights: tuple[float, ...] | None, classes: int, name: str) -> KerasTensor:
    """One weight per class [C], ones when there are none.

    Raises:
        ValueError: there are more or fewer than classes.
    """
    if weights is None:
        return ops.ones([classes])
    if len(weights) != classes:
        raise ValueError(f"{name} has {len(weights)} values for {classes} classes: give one per class, in id order")
    return ops.convert_to_tensor(weights, "float32")


def soft_masks(labels: KerasTensor, logits: KerasTensor, ignore_index: int) -> tuple[KerasTensor, KerasTensor]:
    """Predicted and true masks [N, H, W, C], both zero wherever a pixel is ignored.

    One-channel logits are a sigmoid's, and their mask is the foreground's.
    """
    targets, counted = targets_and_weights(labels, ignore_index)
    counted, channels = counted[..., None], logits.shape[-1]
    if channels == 1:
        return ops.sigmoid(logits) * counted, ops.cast(targets[..., None] == 1, "float32") * counted
    return ops.softmax(logits) * counted, ops.one_hot(targets, channels) * counted


def mean_over_present(losses: KerasTensor, present: KerasTensor) -> Terms:
    """Sum over images of the mean over present classes, and how many images have any; both arguments are [N, C].

    One image at a time, so that neither the batch's size nor its division over devices changes the loss.
    """
    classes = ops.sum(present, axis=1)
    means = ops.sum(losses * present, axis=1) / ops.maximum(classes, 1.0)
    return ops.sum(means), ops.sum(ops.cast(classes > 0, "float32"))
