"""What every loss is: its options, as a recipe writes them, and its formula.

Recipe mistakes must be reported at once, and Keras takes seconds to import: nothing here and in the losses' files
imports it before a formula is computed. That is why they take Keras's operations from here.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

from pydantic import Field

from trainer.recipe_values import Named

# A tensor of Keras, of any backend.
Tensor = Any

# A sum and a count, two float32 scalars whose quotient is the loss. Both can be summed over devices before dividing,
# so that a batch gives the same gradients however it is divided.
Terms = tuple[Tensor, Tensor]

# One weight per class, in id order.
PerClass = tuple[Annotated[float, Field(ge=0)], ...]


class _Ops:
    """``keras.ops``, imported when the first operation is used."""

    def __getattr__(self, name: str) -> Any:
        from keras import ops as keras_ops

        return getattr(keras_ops, name)


ops: Any = _Ops()


class Loss(Named):
    """A loss and its options. ``weight``: what the loss is multiplied by in the sum."""

    # The option that takes one weight per class; None for a loss without one.
    class_weight_option: ClassVar[str | None] = None

    weight: float = Field(1.0, ge=0)

    @abstractmethod
    def terms(self, labels: Tensor, logits: Tensor, ignore_index: int) -> Terms:
        """Sum and count of the loss, without its weight.

        Args:
            labels: integer class ids [N, H, W].
            logits: float32 [N, H, W, C].
            ignore_index: the label of pixels that have no influence.

        Raises:
            ValueError: an option does not fit the number of classes.
        """
