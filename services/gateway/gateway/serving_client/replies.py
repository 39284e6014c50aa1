"""What serving replies: versions, cards, signatures, predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

import contract
from gateway.errors import BadServingReply, ModelUnavailable
from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.signatures import ModelOutput, output


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model as serving reports it; ``error`` says why it failed to load, else it is empty."""

    version: int
    state: str
    error: str


@dataclass(frozen=True)
class ServedModel:
    """One loaded version and its card."""

    name: str
    version: int
    card: contract.ModelCard


@dataclass(frozen=True)
class Prediction(ModelOutput):
    """What a version computed for one image, and which version it was."""

    served: ServedModel = field(kw_only=True)


def read_versions(reply: pb.GetModelStatusResponse) -> list[VersionStatus]:
    """Every version that serving reports, newest first."""
    known = {value: name for name, value in pb.ModelVersionStatus.State.items()}
    found = [
        VersionStatus(entry.version, known.get(entry.state, "UNKNOWN"), entry.status.error_message)
        for entry in reply.model_version_status
    ]
    return sorted(found, key=lambda status: status.version, reverse=True)


def available(model: str, versions: Sequence[VersionStatus]) -> list[int]:
    """The versions that are loaded, newest first: a request that names no version gets the first.

    Raises:
        ModelUnavailable: none is AVAILABLE; names the state of each.
    """
    found = [status.version for status in versions if status.state == "AVAILABLE"]
    if not found:
        states = {str(status.version): f"{status.state} {status.error}".strip() for status in versions}
        raise ModelUnavailable(f"no version of model {model!r} is loaded: {states}", model=model, versions=states)
    return found


def read_version(spec: pb.ModelSpec, pinned: int | None) -> int:
    """The version that replied.

    Raises:
        BadServingReply: none, or another than the one requested.
    """
    version = int(spec.version.value)
    if version < 1 or pinned not in (None, version):
        raise BadServingReply(f"serving replied as version {version}; expected {pinned or 'a version number'}")
    return version


def read_card(reply: pb.PredictResponse, where: str) -> contract.ModelCard:
    """The card in a reply of ``describe``; ``where`` names the model in errors.

    Raises:
        BadServingReply: no card, or one that does not keep the contract.
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
