"""Terms that several losses share."""

from trainer.losses.loss import PerClass, Tensor, Terms, ops


def targets_and_weights(labels: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Labels as indices that are safe to gather with, and the weight of each. Every loss ignores pixels through this.

    Returns:
        int32 class ids, 0 where ignored, because an ignored label is no index into the logits; and float32 of the same
        shape, 1 where the label counts and 0 where it does not.
    """
    valid = labels != ignore_index
    return ops.cast(ops.where(valid, labels, ops.zeros_like(labels)), "int32"), ops.cast(valid, "float32")


def by_class(weights: PerClass | None, classes: int, name: str) -> Tensor:
    """One weight per class [C], ones when there are none.

    Raises:
        ValueError: there are more or fewer than classes.
    """
    if weights is None:
        return ops.ones([classes])
    if len(weights) != classes:
        raise ValueError(f"{name} has {len(weights)} values for {classes} classes: give one per class, in id order")
    return ops.convert_to_tensor(weights, "float32")


def soft_masks(labels: Tensor, logits: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Predicted and true masks [N, H, W, C], both zero wherever a pixel is ignored.

    One-channel logits are a sigmoid's, and their mask is the foreground's.
    """
    targets, counted = targets_and_weights(labels, ignore_index)
    counted, channels = counted[..., None], logits.shape[-1]
    if channels == 1:
        return ops.sigmoid(logits) * counted, ops.cast(targets[..., None] == 1, "float32") * counted
    return ops.softmax(logits) * counted, ops.one_hot(targets, channels) * counted


def mean_over_present(losses: Tensor, present: Tensor) -> Terms:
    """Sum over images of the mean over present classes, and how many images have any; both arguments are [N, C].

    One image at a time, so that neither the batch's size nor its division over devices changes the loss.
    """
    classes = ops.sum(present, axis=1)
    means = ops.sum(losses * present, axis=1) / ops.maximum(classes, 1.0)
    return ops.sum(means), ops.sum(ops.cast(classes > 0, "float32"))
