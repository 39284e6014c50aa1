"""Every loss by its name in a recipe.

A new loss is a file with a subclass of :class:`~trainer.losses.loss.Loss`, and one line in ``LOSSES``.
"""

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, SerializeAsAny

from trainer.losses.binary import BinaryCrossEntropy, BinaryFocal
from trainer.losses.boundary import Boundary
from trainer.losses.cross_entropy import CrossEntropy, Focal, OhemCrossEntropy
from trainer.losses.loss import Loss
from trainer.losses.overlap import Dice, Jaccard, Lovasz, Tversky
from trainer.recipe_values import from_recipe, to_recipe

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

# The names of the losses with class weights.
CLASS_WEIGHTED = tuple(name for name, kind in LOSSES.items() if kind.class_weight_option)

# As a recipe writes it: ``dice``, or ``{dice: {weight: 0.5}}``.
RecipeLoss = Annotated[
    SerializeAsAny[Loss],
    BeforeValidator(lambda entry: from_recipe(LOSSES, "loss", entry)),
    PlainSerializer(to_recipe, return_type=dict),
]
