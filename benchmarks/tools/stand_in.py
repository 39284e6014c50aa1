"""A stand-in for TensorFlow Serving: its gRPC calls for one model, made of a card and a function."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value

import contract
from contract import ModelCard
from gateway.serving_client import tensors
from gateway.serving_client.protocol import serving_pb2 as pb

_TYPES = {"uint8": pb.DT_UINT8, "string": pb.DT_STRING, "float32": pb.DT_FLOAT}


class StandIn:
    """Version 1 of the card's model; ``mask`` gives the uint8 tensor [1, H, W] for a request."""

    def __init__(self, card: ModelCard, mask: Callable[[pb.PredictRequest], pb.Tensor]) -> None:
        self._card, self._mask = card, mask
        self._spec = pb.ModelSpec(name=card.name, version=Int64Value(value=1))

    def serve(self, port: int = 0, threads: int = 4) -> tuple[grpc.Server, int]:
        """Start on loopback; return the server and its port."""
        server = grpc.server(ThreadPoolExecutor(threads))
        services: dict[str, dict[str, tuple[Any, Any]]] = {
            "PredictionService": {
                "Predict": (self._predict, pb.PredictRequest),
                "GetModelMetadata": (self._metadata, pb.GetModelMetadataRequest),
            },
            "ModelService": {"GetModelStatus": (self._status, pb.GetModelStatusRequest)},
        }
        for service, methods in services.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    call, kind.FromString, lambda reply: reply.SerializeToString()
                )
                for name, (call, kind) in methods.items()
            }
            generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        return server, port

    def _predict(self, request: pb.PredictRequest, _: Any) -> pb.PredictResponse:
        reply = pb.PredictResponse(model_spec=self._spec)
        if request.model_spec.signature_name == contract.DESCRIBE:
            reply.outputs["model_card"].CopyFrom(tensors.from_text(self._card.to_json()))
        else:
            reply.outputs["mask"].CopyFrom(self._mask(request))
        return reply

    def _metadata(self, _: Any, __: Any) -> pb.GetModelMetadataResponse:
        found = pb.SignatureDefMap()
        for name, signature in contract.signatures(self._card).items():
            definition = found.signature_def[name]
            for ours, theirs in ((signature.inputs, definition.inputs), (signature.outputs, definition.outputs)):
                for alias, spec in ours.items():
                    dims = shape(*(-1 if size is None else size for size in spec.shape))
                    theirs[alias].CopyFrom(pb.TensorInfo(name=alias, dtype=_TYPES[spec.dtype], tensor_shape=dims))
        packed = AnyMessage(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=found.SerializeToString()
        )
        return pb.GetModelMetadataResponse(model_spec=self._spec, metadata={"signature_def": packed})

    def _status(self, _: Any, __: Any) -> pb.GetModelStatusResponse:
        version = pb.ModelVersionStatus(version=1, state=pb.ModelVersionStatus.AVAILABLE)
        return pb.GetModelStatusResponse(model_version_status=[version])


def shape(*sizes: int) -> pb.TensorShape:
    """A TensorShape of these sizes."""
    return pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in sizes])
