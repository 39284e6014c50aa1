"""The signatures of every published SavedModel: names, tensors, dtypes, shapes.

===================  ==========================================  ===============================================
signature            inputs                                      outputs
===================  ==========================================  ===============================================
``serving_default``  ``image`` uint8 [N,H,W,3] RGB               ``mask`` uint8 [N,H,W] class ids
``scores``           the same                                    ``mask``; ``confidence`` uint8, round(255 max p);
                                                                 ``entropy`` uint8, round(255 H(p) / log C)
``probabilities``    the same                                    ``probabilities`` float32 [N,H,W,C]
``encoded``          ``image_bytes`` string [N], JPEG or PNG     ``mask`` uint8 [N,H,W]
``describe``         ``query`` string [N], any text              ``model_card`` string [N], the card as JSON
===================  ==========================================  ===============================================

The batch size N is free in every input and output: TensorFlow Serving's batching refuses outputs without it.
"""

from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Tuple

from contract.card import ModelCard

SERVING_DEFAULT = "serving_default"
SCORES = "scores"
PROBABILITIES = "probabilities"
ENCODED = "encoded"
DESCRIBE = "describe"

Shape = Tuple[Optional[int], ...]


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a signature: its dtype by TensorFlow's name, its shape with None for a free size."""

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return "{} [{}]".format(self.dtype, ", ".join("?" if d is None else str(d) for d in self.shape))


@dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of one signature."""

    inputs: Dict[str, TensorSpec]
    outputs: Dict[str, TensorSpec]


def signatures(card: ModelCard) -> Dict[str, Signature]:
    """The signatures, by name, that a SavedModel with this card must have."""
    height, width = card.input_height, card.input_width
    image = {"image": TensorSpec("uint8", (None, height, width, 3))}
    plane = TensorSpec("uint8", (None, height, width))
    strings = TensorSpec("string", (None,))
    probabilities = TensorSpec("float32", (None, height, width, len(card.classes)))
    return {
        SERVING_DEFAULT: Signature(image, {"mask": plane}),
        SCORES: Signature(image, {"mask": plane, "confidence": plane, "entropy": plane}),
        PROBABILITIES: Signature(image, {"probabilities": probabilities}),
        ENCODED: Signature({"image_bytes": strings}, {"mask": plane}),
        DESCRIBE: Signature({"query": strings}, {"model_card": strings}),
    }


def mismatches(card: ModelCard, found: Mapping[str, Signature]) -> List[str]:
    """The differences of ``found``, a SavedModel's signatures, from the contract; empty if there are none."""
    problems = []
    for name, expected in signatures(card).items():
        if name not in found:
            problems.append(f"signature {name} is missing")
            continue
        for side in ("inputs", "outputs"):
            wanted, got = getattr(expected, side), getattr(found[name], side)
            if set(wanted) != set(got):
                problems.append(f"signature {name} has {side} {sorted(got)}: expected {sorted(wanted)}")
                continue
            problems += [
                f"signature {name}: {alias} is {got[alias]}, expected {wanted[alias]}"
                for alias in wanted
                if wanted[alias] != got[alias]
            ]
    return problems
