"""A recipe's class weights, put into its losses."""

from collections.abc import Sequence

from trainer.datasets.class_weights import enet
from trainer.datasets.validation_report import ValidationReport
from trainer.losses.registry import CLASS_WEIGHTED, Loss
from trainer.recipe import Recipe


def with_class_weights(recipe: Recipe, report: ValidationReport) -> Recipe:
    """``recipe`` with its class weights written out, there and in every loss that takes some and has none of its own.

    ``auto`` is ENet's formula (arXiv 1606.02147) over the training images' pixels, divided by the mean over those
    pixels, so that a loss keeps its size and the recipe its learning rate. No class weighs more than 36 times
    another; median-frequency weights grow with a class's rarity without end, until a few pixels outweigh a batch.
    """
    if recipe.class_weights == "none":
        return recipe
    weights = _automatic(report) if recipe.class_weights == "auto" else recipe.class_weights
    losses = tuple(_weighted(loss, weights) for loss in recipe.losses)
    return recipe.model_copy(update={"losses": losses, "class_weights": tuple(weights)})


def _automatic(report: ValidationReport) -> tuple[float, ...]:
    counts = report.labels["train"].counts
    pixels, weights = counts.sum(axis=0), enet(counts)
    mean = (weights * pixels).sum() / pixels.sum()
    return tuple(float(f"{weight:.4g}") for weight in weights / mean)


def _weighted(loss: Loss, weights: Sequence[float]) -> Loss:
    option = CLASS_WEIGHTED.get(loss.name)
    if option is None or getattr(loss, option) is not None:
        return loss
    return loss.model_copy(update={option: tuple(weights)})
