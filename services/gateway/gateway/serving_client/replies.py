"""What serving answers about its models: versions, cards, signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

import contract
from gateway.errors import BadServingReply, ModelUnavailable
from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.signatures import output


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
    """What a version answered for one image, uint8 [H,W] at the card's input size.

    ``confidence``, round(255 p of the class chosen), is there when it was asked for.
    """

    served: ServedModel
    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None


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
        return contract.ModelCard.from_json(tensors.to_text(output(reply, "model_card")))
    except contract.CardError as error:
        raise BadServingReply(f"{where}: {error}; export it again") from None


def read_signatures(reply: pb.GetModelMetadataResponse, where: str) -> dict[str, pb.SignatureDef]:
    """The graph's own signatures by name.

    Raises:
        BadServingReply: they cannot be read.
    """
    try:
        return dict(pb.SignatureDefMap.FromString(reply.metadata["signature_def"].value).signature_def)
    except DecodeError:
        raise BadServingReply(f"{where}: its signatures cannot be read") from None
