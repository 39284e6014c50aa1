"""What serving answers, and whether it keeps the contract: serving itself checks neither shapes nor dtypes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

import contract
from gateway import tensors
from gateway.errors import BadServingReply, ModelUnavailable
from gateway.protocol import serving_pb2 as pb


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model as serving sees it; ``error`` says why it failed, else empty."""

    version: int
    state: str
    error: str


@dataclass(frozen=True)
class ServedModel:
    """One loaded version and the card it answers."""

    name: str
    version: int
    card: contract.ModelCard


@dataclass(frozen=True)
class Prediction:
    """A mask, uint8 [H,W] at the card's input size, and the version that made it."""

    served: ServedModel
    mask: NDArray[np.uint8]


def read_versions(reply: pb.GetModelStatusResponse) -> list[VersionStatus]:
    """Newest first."""
    known = {value: name for name, value in pb.ModelVersionStatus.State.items()}
    found = [
        VersionStatus(entry.version, known.get(entry.state, "UNKNOWN"), entry.status.error_message)
        for entry in reply.model_version_status
    ]
    return sorted(found, key=lambda status: status.version, reverse=True)


def available(model: str, versions: Sequence[VersionStatus]) -> list[int]:
    """The versions that answer, newest first: the first does when none is asked for.

    Raises:
        ModelUnavailable: none is AVAILABLE; says what state they are in.
    """
    found = [status.version for status in versions if status.state == "AVAILABLE"]
    if not found:
        states = {str(status.version): f"{status.state} {status.error}".strip() for status in versions}
        raise ModelUnavailable(f"no version of model {model!r} is loaded: {states}", model=model, versions=states)
    return found


def read_version(spec: pb.ModelSpec, pinned: int | None) -> int:
    """The version that answered.

    Raises:
        BadServingReply: none, or another than was asked for.
    """
    answered = int(spec.version.value)
    if answered < 1 or pinned not in (None, answered):
        raise BadServingReply(f"serving answered as version {answered}; expected {pinned or 'a version number'}")
    return answered


def read_card(reply: pb.PredictResponse, where: str) -> contract.ModelCard:
    """The card that ``describe`` answers; ``where`` names the model in errors.

    Raises:
        BadServingReply: no card, or one that breaks the contract.
    """
    try:
        return contract.ModelCard.from_json(tensors.to_text(_output(reply, "model_card")))
    except contract.CardError as error:
        raise BadServingReply(f"{where}: {error}; export it again") from None


def read_mask(reply: pb.PredictResponse, card: contract.ModelCard) -> NDArray[np.uint8]:
    """The mask, uint8 [H,W] at the card's input size.

    Raises:
        BadServingReply: another dtype or shape, or an id that is no class of the card's.
    """
    mask = tensors.to_mask(_output(reply, "mask"), card.input_height, card.input_width)
    top = int(np.where(mask == card.ignore_id, 0, mask).max())
    if top >= len(card.classes):
        raise BadServingReply(f"serving's mask has class {top}; the card ends at {len(card.classes) - 1}")
    return mask


def check_signature(reply: pb.GetModelMetadataResponse, card: contract.ModelCard, where: str) -> None:
    """Hold the graph's own signature against the card.

    Raises:
        BadServingReply: they differ in a tensor's name, dtype or shape.
    """
    try:
        found = pb.SignatureDefMap.FromString(reply.metadata["signature_def"].value).signature_def
    except DecodeError:
        raise BadServingReply(f"{where}: its signatures cannot be read") from None
    wanted, got = contract.signatures(card)[contract.SERVING_DEFAULT], found[contract.SERVING_DEFAULT]
    for specs, infos in ((wanted.inputs, got.inputs), (wanted.outputs, got.outputs)):
        for alias, spec in specs.items():
            info = infos[alias]
            shape = tuple(size if size >= 0 else None for size in tensors.shape_of(info.tensor_shape))
            actual = contract.TensorSpec(tensors.dtype_name(info.dtype), shape)
            if actual != spec:
                raise BadServingReply(
                    f"{where}: {contract.SERVING_DEFAULT} has {alias} {actual}, its card says {spec}; export it again"
                )


def _output(reply: pb.PredictResponse, name: str) -> pb.Tensor:
    if name not in reply.outputs:
        raise BadServingReply(f"serving answered with {sorted(reply.outputs)}; expected [{name!r}]")
    return reply.outputs[name]
