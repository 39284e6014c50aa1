"""Foreign models, which do not keep the contract: float pixels in; logits, probabilities or class ids out.

Their signature says how to call them; a card file (:mod:`.card_files`) has what the signature does not say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

import contract
from gateway.errors import BadServingReply, InvalidParameter
from gateway.serving_client import tensors
from gateway.serving_client.card_files import CardFile, CardPreprocessing
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.signatures import Graph, ModelOutput, SignatureCall, check_ids, output

_CLASS_IDS = ("uint8", "int32", "int64")


@dataclass(frozen=True)
class ForeignGraph:
    """A foreign model's graph, completed by its card file."""

    card: contract.ModelCard
    signature: str
    input_name: str
    preprocessing: CardPreprocessing | None
    output_name: str
    output_kind: Literal["logits", "probabilities", "ids"]

    def build_call(self, image: NDArray[np.uint8], signature: str) -> SignatureCall:
        """The image, preprocessed as this graph expects.

        Raises:
            InvalidParameter: the signature is ``scores`` and the graph's output is class ids, or it is neither of
                ``scores`` and ``serving_default``.
        """
        if signature == contract.SCORES and self.output_kind == "ids":
            raise InvalidParameter(
                f"min_confidence: model {self.card.name!r} outputs class ids without probabilities; leave "
                "min_confidence out",
                parameter="min_confidence",
            )
        if signature not in (contract.SERVING_DEFAULT, contract.SCORES):
            raise InvalidParameter(
                f"model {self.card.name!r} is a foreign model and has no signature {signature!r}; use another model",
                parameter="model",
            )
        pixels: NDArray[np.uint8] | NDArray[np.float32] = image
        if self.preprocessing is not None:
            mean, std = (np.array(values, np.float32) for values in (self.preprocessing.mean, self.preprocessing.std))
            pixels = (image * (np.float32(self.preprocessing.scale) / std) - mean / std).astype(np.float32, copy=False)
        return SignatureCall(self.signature, {self.input_name: tensors.from_image(pixels)}, (self.output_name,))

    def read_reply(self, reply: pb.PredictResponse, signature: str) -> ModelOutput:
        """Argmax at the input size: scores are resized before it, which gives the finest borders.

        Raises:
            BadServingReply: a shape that fits neither the classes nor one image.
        """
        with_confidence = signature == contract.SCORES
        values = tensors.to_array(output(reply, self.output_name), self.output_name)
        height, width = self.card.input_height, self.card.input_width
        if self.output_kind == "ids":
            return ModelOutput(self._ids(values, height, width))
        channels = len(self.card.classes)
        if values.ndim != 4 or values.shape[0] != 1 or values.shape[3] not in _channels(channels) or not values.size:
            raise BadServingReply(
                f"serving's {self.output_name} is {list(values.shape)}; expected [1, height, width, {channels}]"
            )
        scores: NDArray[np.float32] = values[0]
        if scores.shape[:2] != (height, width):
            stretched = cv2.resize(scores, (width, height), interpolation=cv2.INTER_LINEAR)
            scores = np.asarray(stretched, np.float32).reshape(height, width, -1)
        if scores.shape[2] == 1:
            return self._sigmoid(scores[:, :, 0], with_confidence)
        mask = scores.argmax(2).astype(np.uint8)
        if not with_confidence:
            return ModelOutput(mask)
        best = scores.max(2)
        if self.output_kind == "logits":
            best = 1 / np.exp(scores - best[:, :, None]).sum(2)
        return ModelOutput(mask, _in_255(best))

    def is_compatible_with(self, other: Graph) -> bool:
        """Only if it is called in exactly the same way."""
        return isinstance(other, ForeignGraph) and other == self

    def _sigmoid(self, score: NDArray[np.float32], with_confidence: bool) -> ModelOutput:
        mask = (score > (0 if self.output_kind == "logits" else 0.5)).astype(np.uint8)
        if not with_confidence:
            return ModelOutput(mask)
        if self.output_kind == "logits":
            return ModelOutput(mask, _in_255(1 / (1 + np.exp(-np.abs(score)))))
        return ModelOutput(mask, _in_255(np.maximum(score, 1 - score)))

    def _ids(self, values: NDArray[Any], height: int, width: int) -> NDArray[np.uint8]:
        if values.ndim == 4 and values.shape[3] == 1:
            values = values[:, :, :, 0]
        if values.ndim != 3 or values.shape[0] != 1 or not values.size:
            raise BadServingReply(f"serving's {self.output_name} is {list(values.shape)}; expected [1, height, width]")
        mask = tensors.to_uint8(values[0], self.output_name)
        check_ids(mask, self.card)
        if mask.shape == (height, width):
            return mask
        return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def adapt(model: str, signatures: Mapping[str, pb.SignatureDef], cards: Path | None) -> ForeignGraph:
    """How to call a model that has no ``describe`` signature.

    Args:
        model: its name in serving.
        signatures: the model's, by name.
        cards: the folder of card files.

    Raises:
        BadServingReply: no card file, or a graph that cannot be called with one image; says what to change.
    """
    file = CardFile.read(cards, model)
    name, signature = _signature(model, signatures)
    input_name, info = _only(model, "input", signature.inputs, None)
    height, width, dtype = _input(model, input_name, info, file)
    output_name, out = _only(model, "output", signature.outputs, file.output_tensor)
    kind = _output_kind(model, output_name, out, file)
    preprocessing = file.preprocessing if dtype == "float32" else None
    return ForeignGraph(file.model_card(model, height, width), name, input_name, preprocessing, output_name, kind)


def _signature(model: str, signatures: Mapping[str, pb.SignatureDef]) -> tuple[str, pb.SignatureDef]:
    """``serving_default``, else the only one; Keras's initialiser has no inputs and does not count."""
    found = {name: signature for name, signature in signatures.items() if signature.inputs}
    name = contract.SERVING_DEFAULT if contract.SERVING_DEFAULT in found else next(iter(found), "")
    if not found or (len(found) > 1 and name != contract.SERVING_DEFAULT):
        raise _unfit(model, f"has the signatures {sorted(found)}", f"one named {contract.SERVING_DEFAULT}")
    return name, found[name]


def _only(model: str, what: str, infos: Mapping[str, pb.TensorInfo], wanted: str | None) -> tuple[str, pb.TensorInfo]:
    name = wanted or next(iter(infos), "")
    if name not in infos or (wanted is None and len(infos) > 1):
        expected = f"one {what}" + (", or output_tensor in its card file to say which" if what == "output" else "")
        raise _unfit(model, f"has the {what}s {sorted(infos)}", expected)
    return name, infos[name]


def _input(model: str, name: str, info: pb.TensorInfo, file: CardFile) -> tuple[int, int, str]:
    spec = tensors.spec_of(info)
    if len(spec.shape) != 4 or spec.dtype not in ("uint8", "float32") or spec.shape[3] not in (3, None):
        first = len(spec.shape) == 4 and spec.shape[1] == 3
        raise _unfit(
            model,
            f"has input {name} {spec}{', channels first' if first else ''}",
            "uint8 or float32 [N, height, width, 3]",
        )
    if spec.dtype == "float32" and file.preprocessing is None:
        raise _unfit(model, f"has a float32 input {name}", "preprocessing in its card file: scale, mean and std")
    height, width = (
        known or given for known, given in zip(spec.shape[1:3], (file.input_height, file.input_width), strict=True)
    )
    if not height or not width:
        raise _unfit(model, f"has input {name} {spec} of any size", "input_height and input_width in its card file")
    return height, width, spec.dtype


def _output_kind(
    model: str, name: str, info: pb.TensorInfo, file: CardFile
) -> Literal["logits", "probabilities", "ids"]:
    spec, channels = tensors.spec_of(info), _channels(len(file.classes))
    if spec.dtype in _CLASS_IDS and (len(spec.shape) == 3 or spec.shape[3:] in ((1,), (None,))):
        return "ids"
    if spec.dtype == "float32" and len(spec.shape) == 4 and spec.shape[3] in (*channels, None):
        return file.output
    first = len(spec.shape) == 4 and spec.shape[1] in channels
    raise _unfit(
        model,
        f"has output {name} {spec}{', channels first' if first else ''}",
        f"float32 [N, height, width, {len(file.classes)}], one channel for each class of its card file, or class ids",
    )


def _channels(classes: int) -> tuple[int, ...]:
    """The numbers of channels that an output for so many classes may have; two classes can be one sigmoid."""
    return (2, 1) if classes == 2 else (classes,)


def _in_255(probability: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.clip(probability, 0, 1)), np.uint8)


def _unfit(model: str, has: str, expected: str) -> BadServingReply:
    return BadServingReply(f"model {model!r} {has}; expected {expected}", model=model)
