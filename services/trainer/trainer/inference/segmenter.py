"""The common interface of a run, a published SavedModel and a served model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import PROBABILITIES, SERVING_DEFAULT, ModelCard
from trainer.frozen.graph import Signatures

Images = NDArray[np.uint8]
Masks = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Segmenter:
    """A network behind the contract.

    Attributes:
        name: as given on the command line.
        card: its classes and input size among others.
        masks: uint8 RGB [N, H, W, 3] at the card's input size to class ids [N, H, W].
        probabilities: the same images to softmax [N, H, W, C]; None for a model without that signature.
        count_flops: floating-point operations of one image, a multiply-add as two; None where they are not known.
    """

    name: str
    card: ModelCard
    masks: Callable[[Images], Masks]
    probabilities: Callable[[Images], Probabilities] | None
    count_flops: Callable[[], int | None]
    owner: Any = None  # keeps a SavedModel's variables alive, to which its functions refer

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its input, pixels."""
        return self.card.input_height, self.card.input_width


def of_signatures(
    name: str, card: ModelCard, functions: Signatures, count_flops: Callable[[], int | None]
) -> Segmenter:
    """A Segmenter of the contract's signatures in this process."""

    def masks(images: Images) -> Masks:
        return functions[SERVING_DEFAULT](image=tf.constant(images))["mask"].numpy()

    def probabilities(images: Images) -> Probabilities:
        return functions[PROBABILITIES](image=tf.constant(images))["probabilities"].numpy()

    return Segmenter(name, card, masks, probabilities if PROBABILITIES in functions else None, count_flops)
