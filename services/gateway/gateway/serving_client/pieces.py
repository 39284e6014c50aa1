"""Messages written in pieces, so that a picture in them is copied once.

protobuf copies it into the Tensor, with the Tensor into the map of inputs, from there into the message's bytes, and
gRPC has the event loop do the last of these.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from contract.wire import Piece, field
from gateway.serving_client.protocol import serving_pb2 as pb

_INPUTS = pb.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
_KEY, _VALUE = 1, 2  # of every map's entries


@dataclasses.dataclass(frozen=True)
class WrittenRequest:
    """A PredictRequest's bytes, and whom it asks."""

    model_spec: pb.ModelSpec
    data: bytes = dataclasses.field(repr=False)


def predict_request(
    model_spec: pb.ModelSpec, inputs: Mapping[str, Sequence[Piece]], output_filter: Sequence[str]
) -> WrittenRequest:
    """A PredictRequest whose inputs are Tensor messages in pieces."""
    pieces: list[Piece] = [pb.PredictRequest(model_spec=model_spec, output_filter=output_filter).SerializeToString()]
    for name, tensor in inputs.items():
        pieces += field(_INPUTS, [*field(_KEY, [name.encode()]), *field(_VALUE, tensor)])
    return WrittenRequest(model_spec, b"".join(pieces))
