"""What a recipe can set of each loss. Nothing here imports Keras, so a typing error in a recipe answers at once."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SerializeAsAny

from trainer.recipe_values import Named, from_recipe, to_recipe

PerClass = tuple[Annotated[float, Field(ge=0)], ...]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even: expected an odd number of pixels, which has a middle")
    return size


OddPixels = Annotated[int, Field(ge=3), AfterValidator(_odd)]


class Loss(Named):
    """``weight``: what the loss is multiplied by in the sum."""

    weight: float = Field(1.0, ge=0)


class CrossEntropy(Loss):
    """``class_weights``: one per class, in id order. ``label_smoothing``: the share spread over all classes."""

    name = "cross_entropy"
    class_weights: PerClass | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class OhemCrossEntropy(Loss):
    """``threshold``: true-class probability from which a pixel is easy. ``min_kept``: pixels of a device's batch."""

    name = "ohem_cross_entropy"
    threshold: float = Field(0.9, gt=0, le=1)
    min_kept: int = Field(131_072, ge=1)
    class_weights: PerClass | None = None


class Focal(Loss):
    """``gamma``: 0 is cross entropy. ``alpha``: a weight per class, in id order."""

    name = "focal"
    gamma: float = Field(2.0, ge=0)
    alpha: PerClass | None = None


class BinaryCrossEntropy(Loss):
    """A sigmoid per channel; nothing to set but the weight."""

    name = "binary_cross_entropy"


class BinaryFocal(Loss):
    """``gamma``: 0 is binary cross entropy. ``alpha``: the positive pixels' weight, 1 - alpha the negative ones'."""

    name = "binary_focal"
    gamma: float = Field(2.0, ge=0)
    alpha: float | None = Field(None, ge=0, le=1)


class Dice(Loss):
    """``smooth``: in pixels, added to numerator and denominator."""

    name = "dice"
    smooth: float = Field(1.0, gt=0)


class Jaccard(Loss):
    """``smooth``: in pixels, added to numerator and denominator."""

    name = "jaccard"
    smooth: float = Field(1.0, gt=0)


class Tversky(Loss):
    """``alpha``: weight of false positives. ``beta``: of false negatives. ``smooth``: in pixels."""

    name = "tversky"
    alpha: float = Field(0.3, ge=0)
    beta: float = Field(0.7, ge=0)
    smooth: float = Field(1.0, gt=0)


class Lovasz(Loss):
    """Nothing to set but the weight."""

    name = "lovasz"


class Boundary(Loss):
    """``thickness`` of an outline, and the ``tolerance`` within which two still match: squares' sides in pixels."""

    name = "boundary"
    thickness: OddPixels = 3
    tolerance: OddPixels = 5


LOSSES: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (
        CrossEntropy,
        OhemCrossEntropy,
        Focal,
        BinaryCrossEntropy,
        BinaryFocal,
        Dice,
        Jaccard,
        Tversky,
        Lovasz,
        Boundary,
    )
}

# The losses that weigh a pixel by the class of its label, and the option that says how.
CLASS_WEIGHTED = {CrossEntropy.name: "class_weights", OhemCrossEntropy.name: "class_weights", Focal.name: "alpha"}

# As a recipe writes it: ``dice``, or ``{dice: {weight: 0.5}}``.
RecipeLoss = Annotated[
    SerializeAsAny[Loss],
    BeforeValidator(lambda entry: from_recipe(LOSSES, "loss", entry)),
    PlainSerializer(to_recipe, return_type=dict),
]
