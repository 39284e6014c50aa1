"""A model behind TensorFlow Serving's gRPC protocol, exactly as clients use it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import DESCRIBE, PROBABILITIES, SERVING_DEFAULT, CardError, ModelCard
from trainer.errors import UserError
from trainer.inference.segmenter import Images, Segmenter

# A model's first answer may wait for the graph to be optimised.
_DEADLINE_SECONDS = 120

_TARGET = re.compile(r"(?P<name>[^:@]+)(?::(?P<version>\d{1,18})|@(?P<label>.+))?")


@contextmanager
def served(address: str, target: str) -> Iterator[Segmenter]:
    """The model ``NAME``, ``NAME:VERSION`` or ``NAME@LABEL`` that serving at ``HOST:PORT`` has.

    The version that answers first is used from then on, even if another is published meanwhile.

    Raises:
        UserError: serving does not answer, there is no such model or version, or it has no model card.
    """
    # tensorflow_serving's modules import all of TensorFlow.
    import grpc
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    match = _TARGET.fullmatch(target)
    if match is None:
        raise UserError(f"--model {target}: expected NAME, NAME:VERSION or NAME@LABEL")
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_http_proxy", 0),  # serving is in the same network, not behind a proxy
    ]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = match["name"]
    if match["version"]:
        request.model_spec.version.value = int(match["version"])
    elif match["label"]:
        request.model_spec.version_label = match["label"]

    with grpc.insecure_channel(address, options) as channel:
        stub = PredictionServiceStub(channel)

        def predict(signature: str, output: str, **inputs: Any) -> NDArray:
            call = predict_pb2.PredictRequest(output_filter=[output])
            call.model_spec.CopyFrom(request.model_spec)
            call.model_spec.signature_name = signature
            for name, value in inputs.items():
                call.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            try:
                reply = stub.Predict(call, timeout=_DEADLINE_SECONDS)
            except grpc.RpcError as error:
                raise UserError(_explain(address, target, error.code(), error.details() or "")) from None
            if not request.model_spec.version.value:
                request.model_spec.version.value = reply.model_spec.version.value
            return np.asarray(tf.make_ndarray(reply.outputs[output]))

        try:
            card = ModelCard.from_json(predict(DESCRIBE, "model_card", query=["card"])[0])
        except CardError as error:
            raise UserError(f"{target} at {address} has no readable model card ({error})") from None

        def masks(images: Images) -> NDArray[np.uint8]:
            return predict(SERVING_DEFAULT, "mask", image=images)

        def probabilities(images: Images) -> NDArray[np.float32]:
            return predict(PROBABILITIES, "probabilities", image=images)

        name = f"{match['name']}:{request.model_spec.version.value} at {address}"
        yield Segmenter(name, card, masks, probabilities, lambda: card.flops)


def _explain(address: str, target: str, code: Any, details: str) -> str:
    details = " ".join(details.split())
    missing = f"serving at {address} has no {target}: {details}"
    match code.name:
        case "UNAVAILABLE":
            return f"serving at {address} does not answer: expected HOST:PORT of its gRPC port; `make serve` starts one"
        case "NOT_FOUND":
            return missing
        case "INVALID_ARGUMENT" | "FAILED_PRECONDITION" if "ignature" in details:
            return f"{target} at {address} was not published by Segstack, or lacks a signature: {details}"
        case "INVALID_ARGUMENT" | "FAILED_PRECONDITION" if "label" in details:
            return missing
        case "DEADLINE_EXCEEDED":
            return f"{target} at {address} did not answer in {_DEADLINE_SECONDS} s: try a smaller --batch-size"
        case "RESOURCE_EXHAUSTED":
            return f"serving at {address} has no room for the batch: try --batch-size 1 ({details})"
        case _:
            return f"serving at {address} refused {target} with {code.name}: {details}"
