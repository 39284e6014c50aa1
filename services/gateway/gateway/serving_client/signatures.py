"""How a served graph is called and its reply read: one that keeps the contract, or (:mod:`.foreign`) one that does not.

Callers name a signature of the contract; those of its outputs are requested that :class:`ModelOutput` has a field for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import contract
from contract.wire import Piece
from gateway.errors import BadServingReply
from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb


@dataclass(frozen=True)
class SignatureCall:
    """What a Predict request carries besides the model's name; ``inputs`` are Tensor messages."""

    signature: str
    inputs: Mapping[str, Sequence[Piece]]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class ModelOutput:
    """What a model computed for one image, uint8 [H,W] at the card's input size; fields are the contract's outputs.

    Attributes:
        mask: class ids.
        confidence: round(255 p) of the class chosen; None unless the signature called has it.
    """

    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None


_OUTPUTS = frozenset(field.name for field in fields(ModelOutput))


class Graph(Protocol):
    """One version's graph. Both methods work through whole images: for a thread, not for the event loop."""

    @property
    def card(self) -> contract.ModelCard:
        """The model card: the graph's own, or from a card file."""

    def build_call(self, image: NDArray[np.uint8], signature: str) -> SignatureCall:
        """The call of one of the contract's signatures for an image, uint8 [H,W,3] RGB at the card's input size.

        Raises:
            InvalidParameter: the graph has nothing that corresponds to ``signature``.
        """

    def read_reply(self, reply: pb.PredictResponse, signature: str) -> ModelOutput:
        """The outputs in a reply to that call.

        Raises:
            BadServingReply: it breaks the contract.
        """

    def is_compatible_with(self, other: "Graph") -> bool:
        """Whether a call that ``other`` built means the same here, as when a new version has just replaced it."""


@dataclass(frozen=True)
class ContractGraph:
    """A graph with the contract's signatures: pixels in, class ids out."""

    card: contract.ModelCard

    @cached_property
    def _signatures(self) -> dict[str, contract.Signature]:
        return contract.signatures(self.card)

    def _outputs(self, signature: str) -> dict[str, contract.TensorSpec]:
        return {name: spec for name, spec in self._signatures[signature].outputs.items() if name in _OUTPUTS}

    def build_call(self, image: NDArray[np.uint8], signature: str) -> SignatureCall:
        """The image as it is; only the outputs that are read."""
        return SignatureCall(signature, {"image": tensors.from_image(image)}, tuple(self._outputs(signature)))

    def read_reply(self, reply: pb.PredictResponse, signature: str) -> ModelOutput:
        """Outputs as they are.

        Raises:
            BadServingReply: another dtype or shape, or an id that is not a class of the card.
        """
        found: dict[str, Any] = {
            name: tensors.to_image_output(output(reply, name), name, spec)
            for name, spec in self._outputs(signature).items()
        }
        check_ids(found["mask"], self.card)
        return ModelOutput(**found)

    def is_compatible_with(self, other: Graph) -> bool:
        """True for any graph of the contract with the same input size."""
        return isinstance(other, ContractGraph) and (other.card.input_height, other.card.input_width) == (
            self.card.input_height,
            self.card.input_width,
        )


def check_contract(found: Mapping[str, pb.SignatureDef], card: contract.ModelCard, where: str) -> None:
    """Check a graph's ``serving_default`` against its card.

    Raises:
        BadServingReply: they differ in a tensor's name, dtype or shape.
    """
    wanted = contract.signatures(card)[contract.SERVING_DEFAULT]
    got = found.get(contract.SERVING_DEFAULT, pb.SignatureDef())
    for specs, infos in ((wanted.inputs, got.inputs), (wanted.outputs, got.outputs)):
        for alias, spec in specs.items():
            actual = tensors.spec_of(infos[alias])
            if actual != spec:
                raise BadServingReply(
                    f"{where}: {contract.SERVING_DEFAULT} has {alias} {actual}, its card says {spec}; export it again"
                )


def check_ids(mask: NDArray[np.uint8], card: contract.ModelCard) -> None:
    """Check a mask's values against the card's classes.

    Raises:
        BadServingReply: one is neither a class nor the ignore id.
    """
    top = int(mask.max())
    if top >= len(card.classes):  # seldom, as ids are ignored by the gateway and not by models
        top = int(np.where(mask == card.ignore_id, 0, mask).max())
    if top >= len(card.classes):
        raise BadServingReply(f"serving's mask has class {top}; the card ends at {len(card.classes) - 1}")


def output(reply: pb.PredictResponse, name: str) -> pb.Tensor:
    """The tensor of that name.

    Raises:
        BadServingReply: the reply has none.
    """
    if name not in reply.outputs:
        raise BadServingReply(f"serving replied with the outputs {sorted(reply.outputs)}; expected {name!r}")
    return reply.outputs[name]
