"""Lovász-softmax (Berman et al., arXiv 1705.08790): the tight convex extension of the Jaccard loss."""

from trainer.losses.loss import Loss, Tensor, Terms, ops
from trainer.losses.terms import mean_over_present, soft_masks


class Lovasz(Loss):
    """Mean over the classes that an image's labels have, then over images; no option but the weight.

    Sorts the errors of every class of every image, which takes several times the probabilities' memory.
    """

    name = "lovasz"

    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:  # noqa: D102
        predicted, true = (_planes(mask) for mask in soft_masks(labels, logits, ignore_index))
        errors = ops.abs(true - predicted)
        # Ignored pixels, whose error is 0, sort behind all others: there they change no step that counts.
        order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
        errors, true = (ops.take_along_axis(plane, order, axis=-1) for plane in (errors, true))
        losses = ops.sum(errors * _jaccard_steps(true), axis=-1)
        return mean_over_present(losses, ops.cast(ops.sum(true, axis=-1) > 0, "float32"))


def _planes(mask: Tensor) -> Tensor:
    """[N, H, W, C] to [N, C, H W]."""
    images, height, width, channels = ops.shape(mask)
    return ops.reshape(ops.transpose(mask, (0, 3, 1, 2)), (images, channels, height * width))


def _jaccard_steps(true: Tensor) -> Tensor:
    """What each further pixel, from the worst error down, adds to the Jaccard loss: the paper's algorithm 1."""
    positives = ops.sum(true, axis=-1, keepdims=True)
    union = positives + ops.cumsum(1 - true, axis=-1)
    loss = 1 - (positives - ops.cumsum(true, axis=-1)) / ops.maximum(union, 1.0)
    return ops.concatenate([loss[..., :1], loss[..., 1:] - loss[..., :-1]], axis=-1)
