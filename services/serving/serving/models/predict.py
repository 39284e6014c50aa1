"""PredictionService.Predict on one servable: the checks in their order, and their errors.

Order, codes and texts are those of TensorFlow Serving 2.6.2 (``servables/tensorflow/predict_util.cc``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from numpy.typing import NDArray
from tensorflow_serving.apis import model_pb2, predict_pb2

from contract.wire import Piece, field
from serving.errors import ServingError, failed_precondition, invalid_argument
from serving.models import tensors
from serving.models.servable import Servable

DEFAULT_SIGNATURE = "serving_default"

_METHOD_NAMES = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))
_OUTPUTS = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
_KEY, _VALUE = 1, 2  # fields of a map entry


@dataclass(frozen=True)
class Reply:
    """A PredictResponse: the model that answered, and each output's TensorProto in pieces.

    It is written by hand, as protobuf would unpack what is packed already, and pack it again.
    """

    model_spec: model_pb2.ModelSpec
    outputs: Mapping[str, Sequence[Piece]]

    def serialize(self) -> bytes:
        """The message's bytes, into which every value is copied once."""
        pieces: list[Piece] = [predict_pb2.PredictResponse(model_spec=self.model_spec).SerializeToString()]
        for alias, tensor in self.outputs.items():
            pieces += field(_OUTPUTS, [*field(_KEY, [alias.encode()]), *field(_VALUE, tensor)])
        return b"".join(pieces)


def predict(servable: Servable, request: Any, timeout_ms: int | None = None) -> Reply:
    """Answer a ``PredictRequest`` whose model has been found; the reply's model_spec has no version yet.

    Raises:
        ServingError: the request does not fit the signature, or the runtime refuses it.
    """
    signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{signature_name}" not found.')
    _check_method(signature)
    _check_input_count(signature, request)
    feeds = _feeds(signature, request)
    aliases = _output_aliases(signature, request)
    values = servable.run(feeds, [signature.outputs[alias].name for alias in aliases], timeout_ms)

    spec = model_pb2.ModelSpec(name=request.model_spec.name, signature_name=signature_name)
    return Reply(spec, {alias: tensors.write(value) for alias, value in zip(aliases, values, strict=True)})


def _check_method(signature: Any) -> None:
    if signature.method_name not in _METHOD_NAMES:
        raise ServingError(
            grpc.StatusCode.INTERNAL,
            f"Expected prediction signature method_name to be one of {_braced(_METHOD_NAMES, ', ')}. "
            f"Was: {signature.method_name}",
        )


def _check_input_count(signature: Any, request: Any) -> None:
    sent, expected = set(request.inputs), set(signature.inputs)
    if len(sent) != len(expected):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braced(sorted(sent))}) != len({_braced(sorted(expected))}). "
            f"Sent extra: {_braced(sorted(sent - expected))}. "
            f"Missing but required: {_braced(sorted(expected - sent))}."
        )


def _feeds(signature: Any, request: Any) -> dict[str, NDArray[Any]]:
    feeds = {}
    for alias in sorted(request.inputs):
        if alias not in signature.inputs:
            raise invalid_argument(
                f"input tensor alias not found in signature: {alias}. "
                f"Inputs expected to be in the set {_braced(sorted(signature.inputs))}."
            )
        try:
            feeds[signature.inputs[alias].name] = tensors.to_numpy(request.inputs[alias])
        except ValueError:
            raise invalid_argument(f"tensor parsing error: {alias}") from None
    return feeds


def _output_aliases(signature: Any, request: Any) -> list[str]:
    aliases: list[str] = []
    for alias in request.output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(sorted(signature.outputs))}."
            )
        if alias in aliases:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        aliases.append(alias)
    return aliases or sorted(signature.outputs)


def _braced(names: Iterable[str], separator: str = ",") -> str:
    return "{" + separator.join(names) + "}"
