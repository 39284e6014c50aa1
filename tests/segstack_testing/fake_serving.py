"""TensorFlow Serving's gRPC calls, answered without TensorFlow by models and faults that a test scripts."""

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value

from contract import DESCRIBE, SCORES, ClassInfo, Metrics, ModelCard, Signature, signatures
from contract.wire import varint
from gateway.serving_client.protocol import serving_pb2 as pb
from segstack_testing.raw_http import held_port

CARD = ModelCard(
    name="shapes",
    architecture="ddrnet23_slim",
    input_height=48,
    input_width=64,
    classes=(
        ClassInfo(0, "background", (0, 0, 0)),
        ClassInfo(1, "car", (220, 60, 60)),
        ClassInfo(2, "tree", (60, 180, 90)),
        ClassInfo(3, "fußgänger", (70, 90, 230)),
    ),
    metrics=Metrics(
        miou=0.9,
        per_class_iou={"background": 0.99, "car": 0.8, "tree": 0.91, "fußgänger": None},
        split="test",
        images=7,
    ),
    parameters=1000,
)

_DTYPES = {"uint8": pb.DT_UINT8, "string": pb.DT_STRING, "float32": pb.DT_FLOAT, "int64": pb.DT_INT64}
# Of a FakeServing's attributes those that no test sets.
_NOT_SCRIPTED = {"port", "predictions", "metadata_requests", "_server", "_at_first"}
_FIELDS = {"uint8": "int_val", "int64": "int64_val"}


def threshold(image: np.ndarray) -> np.ndarray:
    """The network of every model: uint8 [H,W,3] to [H,W].

    Class 1 where red is largest, 2 where green is, 3 where blue is, 0 where all three are below 100.
    """
    return np.where(image.max(2) < 100, 0, image.argmax(2) + 1).astype(np.uint8)


def _no_fault(request: Any, context: grpc.ServicerContext) -> None:
    pass


def _unchanged(reply: Any) -> None:
    pass


def _serialized(reply: Any) -> bytes:
    return reply.SerializeToString()


class FakeServing:
    """Models and versions by name, with ``shapes`` version 1 at the start.

    Tests script faults: ``before_predict`` may abort a call, ``change_mask``, ``change_card`` and ``change_metadata``
    may spoil a reply, ``serialize`` replaces its bytes. ``predictions`` are the requests so far.
    """

    def __init__(self) -> None:
        self.port = 0
        self._server: grpc.Server | None = None
        self._reset()

    def _reset(self) -> None:
        self.cards: dict[str, dict[int, ModelCard]] = defaultdict(dict)
        self.foreign: dict[str, tuple[Signature, Callable[[np.ndarray], np.ndarray]]] = {}
        self.labels: dict[tuple[str, str], int] = {}
        self.states: dict[tuple[str, int], tuple[int, str]] = {}
        self.network: Callable[[np.ndarray], np.ndarray] = threshold
        self.networks: dict[tuple[str, int], Callable[[np.ndarray], np.ndarray]] = {}
        self.before_predict: Callable[[Any, grpc.ServicerContext], None] = _no_fault
        self.change_mask: Callable[[Any], None] = _unchanged
        self.change_card: Callable[[Any], None] = _unchanged
        self.change_metadata: Callable[[Any], None] = _unchanged
        self.serialize: Callable[[Any], bytes] = _serialized
        self.checks_shapes = True
        self.publish("shapes", 1, CARD)
        self._restarted = False
        own = {name: value for name, value in vars(self).items() if name not in _NOT_SCRIPTED}
        self._at_first = copy.deepcopy(own)
        self.predictions: list[Any] = []
        self.metadata_requests = 0

    @property
    def is_changed(self) -> bool:
        """Whether a test scripted anything, or stopped the server, since the start or the last `restore`."""
        return any(getattr(self, name) != value for name, value in self._at_first.items())

    def restore(self) -> None:
        """Answer as at first, on the same port, and forget the requests so far."""
        if self._restarted:
            self.stop()
            self.start()
        self._reset()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def inferences(self) -> list[Any]:
        """The requests so far, without those for a model's card."""
        return [request for request in self.predictions if request.model_spec.signature_name != DESCRIBE]

    def publish_foreign(self, model: str, signature: Signature, answer: Callable[[np.ndarray], np.ndarray]) -> None:
        """A model that does not keep the contract: ``answer`` maps its one input to its one output."""
        self.cards[model][1] = CARD
        self.states[model, 1] = (pb.ModelVersionStatus.AVAILABLE, "")
        self.foreign[model] = (signature, answer)

    def publish(self, model: str, version: int, card: ModelCard = CARD, **changes: Any) -> None:
        """A version that is loaded, with the changed fields of ``card``."""
        self.cards[model][version] = dataclasses.replace(card, **changes)
        self.states[model, version] = (pb.ModelVersionStatus.AVAILABLE, "")

    def start(self) -> None:
        """Listen on loopback; after `stop` on the same port again."""
        self._server = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        )
        for service, methods in {
            "PredictionService": {
                "Predict": (self._predict, pb.PredictRequest),
                "GetModelMetadata": (self._metadata, pb.GetModelMetadataRequest),
            },
            "ModelService": {"GetModelStatus": (self._status, pb.GetModelStatusRequest)},
        }.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    method, request.FromString, lambda reply: self.serialize(reply)
                )
                for name, (method, request) in methods.items()
            }
            generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self.port = self.port or held_port()
        self._server.add_insecure_port(self.address)
        self._server.start()

    def hang_up(self) -> None:
        """End every call without a reply and accept no more, as a process that dies does."""
        assert self._server
        self._server.stop(None)
        self._restarted = True

    def stop(self) -> None:
        """End every call and close the port."""
        self._restarted = True
        if self._server:
            self._server.stop(None).wait()
            self._server = None

    def _resolve(self, spec: Any, context: grpc.ServicerContext) -> int:
        loaded = [
            version
            for version in self.cards.get(spec.name, {})
            if self.states[spec.name, version][0] == pb.ModelVersionStatus.AVAILABLE
        ]
        if spec.version_label and (spec.name, spec.version_label) not in self.labels:
            reason = f"Unrecognized servable version label: {spec.version_label}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        by_label = self.labels.get((spec.name, spec.version_label))
        wanted = spec.version.value if spec.HasField("version") else by_label or max(loaded, default=0)
        if wanted not in loaded:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name}")
        return wanted

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.predictions.append(request)
        self.before_predict(request, context)
        name = request.model_spec.name
        version = self._resolve(request.model_spec, context)
        card = self.cards[name][version]
        reply = pb.PredictResponse(model_spec=pb.ModelSpec(name=name, version=Int64Value(value=version)))
        if request.model_spec.signature_name == DESCRIBE:
            shape = request.inputs["query"].tensor_shape
            text = card.to_json().encode()
            reply.outputs["model_card"].CopyFrom(pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape, string_val=[text]))
            self.change_card(reply)
        elif name in self.foreign:
            signature, answer = self.foreign[name]
            (tensor,), (output,) = request.inputs.values(), signature.outputs
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            pixels = np.frombuffer(tensor.tensor_content, np.float32 if tensor.dtype == pb.DT_FLOAT else np.uint8)
            reply.outputs[output].CopyFrom(_to_tensor(answer(pixels.reshape(sizes))))
        else:
            tensor = request.inputs["image"]
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            if self.checks_shapes and sizes[1:3] != [card.input_height, card.input_width]:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Incompatible shapes")
            network = self.networks.get((name, version), self.network)
            image = np.frombuffer(tensor.tensor_content, np.uint8).reshape(sizes[1:])
            reply.outputs["mask"].CopyFrom(_to_tensor(network(image)[None]))
            if request.model_spec.signature_name == SCORES:
                # The brighter a pixel, the higher its confidence.
                reply.outputs["confidence"].CopyFrom(_to_tensor(image.max(2)[None]))
            self.change_mask(reply)
        return reply

    def _metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.metadata_requests += 1
        version = self._resolve(request.model_spec, context)
        found = pb.SignatureDefMap()
        model = request.model_spec.name
        foreign = {"serving_default": self.foreign[model][0]} if model in self.foreign else None
        for name, signature in (foreign or signatures(self.cards[model][version])).items():
            for ours, theirs in (
                (signature.inputs, found.signature_def[name].inputs),
                (signature.outputs, found.signature_def[name].outputs),
            ):
                for alias, spec in ours.items():
                    sizes = [-1 if size is None else size for size in spec.shape]
                    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in sizes])
                    theirs[alias].CopyFrom(pb.TensorInfo(name=alias, dtype=_DTYPES[spec.dtype], tensor_shape=shape))
        packed = AnyMessage(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=found.SerializeToString()
        )
        reply = pb.GetModelMetadataResponse(
            model_spec=pb.ModelSpec(name=request.model_spec.name, version=Int64Value(value=version)),
            metadata={"signature_def": packed},
        )
        self.change_metadata(reply)
        return reply

    def _status(self, request: Any, context: grpc.ServicerContext) -> Any:
        name = request.model_spec.name
        if not self.cards.get(name):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        return pb.GetModelStatusResponse(
            model_version_status=[
                pb.ModelVersionStatus(
                    version=version,
                    state=self.states[name, version][0],
                    status=pb.Status(error_message=self.states[name, version][1]),
                )
                for version in self.cards[name]
            ]
        )


def _to_tensor(values: np.ndarray) -> Any:
    """In the field that TensorFlow Serving uses for the type."""
    name = values.dtype.name
    tensor = pb.Tensor(dtype=_DTYPES[name], tensor_shape={"dim": [{"size": size} for size in values.shape]})
    if name == "float32":
        tensor.float_val.extend(values.reshape(-1).tolist())
    elif name == "uint8" and values.max(initial=0) < 0x80:  # each byte is its own varint
        tensor.int_val = values.tobytes()
    else:
        setattr(tensor, _FIELDS[name], b"".join(map(varint, values.reshape(-1).tolist())))
    return tensor
