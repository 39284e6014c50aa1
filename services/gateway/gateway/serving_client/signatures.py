"""How a served graph is asked and how its answer is read: one that keeps the contract, or (:mod:`.foreign`) not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import contract
from contract.wire import Piece
from gateway.errors import BadServingReply
from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb


@dataclass(frozen=True)
class Question:
    """What a Predict request carries besides the model's name."""

    signature: str
    inputs: Mapping[str, Sequence[Piece]]  # Tensor messages
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A mask and, where it was asked for, confidence = round(255 p of the class chosen); uint8 [H,W] both."""

    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None


class Graph(Protocol):
    """One version's graph. Both methods work through whole images: for a thread, not for the event loop."""

    @property
    def card(self) -> contract.ModelCard:
        """What it says of itself, or what is said of it."""

    def ask(self, image: NDArray[np.uint8], *, want_confidence: bool) -> Question:
        """The question for an image, uint8 [H,W,3] RGB at the card's input size."""

    def read(self, reply: pb.PredictResponse, *, want_confidence: bool) -> Answer:
        """The answer in a reply, at the card's input size.

        Raises:
            BadServingReply: it breaks the contract.
        """

    def takes_questions_for(self, other: "Graph") -> bool:
        """Whether a question that ``other`` made means the same here, as when a new version has just replaced it."""


@dataclass(frozen=True)
class ContractGraph:
    """A graph as the contract has it: pixels in, class ids out."""

    card: contract.ModelCard

    def ask(self, image: NDArray[np.uint8], *, want_confidence: bool) -> Question:
        """``scores`` where confidence is wanted, else the cheaper ``serving_default``."""
        inputs = {"image": tensors.from_image(image)}
        if want_confidence:
            return Question(contract.SCORES, inputs, ("mask", "confidence"))
        return Question(contract.SERVING_DEFAULT, inputs, ("mask",))

    def read(self, reply: pb.PredictResponse, *, want_confidence: bool) -> Answer:
        """Planes as they are.

        Raises:
            BadServingReply: another dtype or shape, or an id that is no class of the card's.
        """
        height, width = self.card.input_height, self.card.input_width
        mask = tensors.to_plane(output(reply, "mask"), "mask", height, width)
        check_ids(mask, self.card)
        if not want_confidence:
            return Answer(mask)
        return Answer(mask, tensors.to_plane(output(reply, "confidence"), "confidence", height, width))

    def takes_questions_for(self, other: Graph) -> bool:
        """Any of the contract's with the same input size."""
        return isinstance(other, ContractGraph) and (other.card.input_height, other.card.input_width) == (
            self.card.input_height,
            self.card.input_width,
        )


def check_contract(found: Mapping[str, pb.SignatureDef], card: contract.ModelCard, where: str) -> None:
    """Hold a graph's own signature against its card.

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
    """Hold a mask's values against the card's classes.

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
        raise BadServingReply(f"serving answered with {sorted(reply.outputs)}; expected {name!r}")
    return reply.outputs[name]
