"""Protobuf messages written by hand, where protobuf would spread out and pack again what is packed already.

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_serving.apis import model_pb2, predict_pb2

_LENGTH_DELIMITED = 2
_OUTPUTS = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
_KEY, _VALUE = 1, 2  # of every map's entries


@dataclass(frozen=True)
class Reply:
    """A PredictResponse: who answers, and each output's TensorProto in pieces."""

    model_spec: model_pb2.ModelSpec
    outputs: Mapping[str, Sequence[bytes]]

    def serialize(self) -> bytes:
        """The message's bytes, into which every value is copied once."""
        pieces = [predict_pb2.PredictResponse(model_spec=self.model_spec).SerializeToString()]
        for alias, tensor in self.outputs.items():
            pieces += field(_OUTPUTS, [*field(_KEY, [alias.encode()]), *field(_VALUE, tensor)])
        return b"".join(pieces)


def field(number: int, value: Sequence[bytes]) -> list[bytes]:
    """A field of that number whose value has a length (string, message, packed numbers); a tag and the length first."""
    length = sum(map(len, value))
    return [_varint(number << 3 | _LENGTH_DELIMITED) + _varint(length), *value]


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
