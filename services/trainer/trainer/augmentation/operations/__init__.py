"""Named operations on image-mask pairs, for the training pipeline and for augmentation on disk.

Images are resampled bilinearly, labels only by nearest neighbour; pixels from outside the image get the mean colour
and are ignored.
"""

from trainer.augmentation.operations import appearance, content, movements  # noqa: F401 - each registers its operations
from trainer.augmentation.operations.operation import (
    Operation,
    RecipeOperation,
    apply,
    create_operation,
    example_generator,
    operation_names,
)

__all__ = [
    "Operation",
    "RecipeOperation",
    "apply",
    "create_operation",
    "example_generator",
    "operation_names",
]
