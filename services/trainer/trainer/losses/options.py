"""What a recipe can set of each loss. Nothing here imports Keras, so a typing error in a recipe answers at once."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PerClass = tuple[Annotated[float, Field(ge=0)], ...]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"{size} is even: expected an odd number of pixels, which has a middle")
    return size


OddPixels = Annotated[int, Field(ge=3), AfterValidator(_odd)]


class _Loss(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(1.0, ge=0)


class CrossEntropy(_Loss):
    """``class_weights``: one per class, in id order. ``label_smoothing``: the share spread over all classes."""

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: PerClass | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class OhemCrossEntropy(_Loss):
    """``threshold``: true-class probability from which a pixel is easy. ``min_kept``: pixels of a device's batch."""

    name: Literal["ohem_cross_entropy"] = "ohem_cross_entropy"
    threshold: float = Field(0.9, gt=0, le=1)
    min_kept: int = Field(131_072, ge=1)
    class_weights: PerClass | None = None


class Focal(_Loss):
    """``gamma``: 0 is cross entropy. ``alpha``: a weight per class, in id order."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)
    alpha: PerClass | None = None


class BinaryCrossEntropy(_Loss):
    """A sigmoid per channel; nothing to set but the weight."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"


class BinaryFocal(_Loss):
    """``gamma``: 0 is binary cross entropy. ``alpha``: the positive pixels' weight, 1 - alpha the negative ones'."""

    name: Literal["binary_focal"] = "binary_focal"
    gamma: float = Field(2.0, ge=0)
    alpha: float | None = Field(None, ge=0, le=1)


class Dice(_Loss):
    """``smooth``: in pixels, added to numerator and denominator."""

    name: Literal["dice"] = "dice"
    smooth: float = Field(1.0, gt=0)


class Jaccard(_Loss):
    """``smooth``: in pixels, added to numerator and denominator."""

    name: Literal["jaccard"] = "jaccard"
    smooth: float = Field(1.0, gt=0)


class Tversky(_Loss):
    """``alpha``: weight of false positives. ``beta``: of false negatives. ``smooth``: in pixels."""

    name: Literal["tversky"] = "tversky"
    alpha: float = Field(0.3, ge=0)
    beta: float = Field(0.7, ge=0)
    smooth: float = Field(1.0, gt=0)


class Lovasz(_Loss):
    """Nothing to set but the weight."""

    name: Literal["lovasz"] = "lovasz"


class Boundary(_Loss):
    """``thickness`` of an outline, and the ``tolerance`` within which two still match: squares' sides in pixels."""

    name: Literal["boundary"] = "boundary"
    thickness: OddPixels = 3
    tolerance: OddPixels = 5


AnyLoss = Annotated[
    CrossEntropy
    | OhemCrossEntropy
    | Focal
    | BinaryCrossEntropy
    | BinaryFocal
    | Dice
    | Jaccard
    | Tversky
    | Lovasz
    | Boundary,
    Field(discriminator="name"),
]
