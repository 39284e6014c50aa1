"""A model server whose one model takes the time it is told, one image at a time, and no processor.

    .venv/bin/python -m benchmarks.slow_model --port 8500 --milliseconds 100

For what happens around a model: whatever else is measured on the machine does not make it slower, nor it that.
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value

import contract
from contract import ClassInfo, ModelCard
from gateway import tensors
from gateway.protocol import serving_pb2 as pb

CARD = ModelCard(
    name="slow",
    architecture="none",
    input_height=480,
    input_width=640,
    classes=tuple(ClassInfo(i, f"class {i}", (60 * i, 255 - 60 * i, 128)) for i in range(4)),
)
_SPEC = pb.ModelSpec(name=CARD.name, version=Int64Value(value=1))
_TYPES = {"uint8": pb.DT_UINT8, "string": pb.DT_STRING, "float32": pb.DT_FLOAT}


class SlowModel:
    """Answers as TensorFlow Serving would; a mask is the red channel in four steps."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at_work = threading.Lock()

    def predict(self, request: Any, _: Any) -> Any:
        """``describe`` at once, a mask when its time is over."""
        reply = pb.PredictResponse(model_spec=_SPEC)
        if request.model_spec.signature_name == contract.DESCRIBE:
            reply.outputs["model_card"].CopyFrom(tensors.from_text(CARD.to_json()))
            return reply
        with self._at_work:
            time.sleep(self._seconds)
        red = np.frombuffer(request.inputs["image"].tensor_content, np.uint8)[::3]
        shape = pb.TensorShape(dim=[{"size": size} for size in (1, CARD.input_height, CARD.input_width)])
        mask = pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=shape, tensor_content=(red >> 6).tobytes())
        reply.outputs["mask"].CopyFrom(mask)
        return reply

    def metadata(self, _: Any, __: Any) -> Any:
        """The contract's signatures."""
        found = pb.SignatureDefMap()
        for name, signature in contract.signatures(CARD).items():
            definition = found.signature_def[name]
            for ours, theirs in ((signature.inputs, definition.inputs), (signature.outputs, definition.outputs)):
                for alias, spec in ours.items():
                    dims = [{"size": -1 if size is None else size} for size in spec.shape]
                    info = pb.TensorInfo(name=alias, dtype=_TYPES[spec.dtype], tensor_shape=pb.TensorShape(dim=dims))
                    theirs[alias].CopyFrom(info)
        packed = AnyMessage(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=found.SerializeToString()
        )
        return pb.GetModelMetadataResponse(model_spec=_SPEC, metadata={"signature_def": packed})

    def status(self, _: Any, __: Any) -> Any:
        """Version 1 is AVAILABLE."""
        version = pb.ModelVersionStatus(version=1, state=pb.ModelVersionStatus.AVAILABLE)
        return pb.GetModelStatusResponse(model_version_status=[version])


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--milliseconds", type=float, required=True)
    given = parser.parse_args()
    model = SlowModel(given.milliseconds / 1000)
    server = grpc.server(ThreadPoolExecutor(16))
    services: dict[str, dict[str, tuple[Any, Any]]] = {
        "PredictionService": {
            "Predict": (model.predict, pb.PredictRequest),
            "GetModelMetadata": (model.metadata, pb.GetModelMetadataRequest),
        },
        "ModelService": {"GetModelStatus": (model.status, pb.GetModelStatusRequest)},
    }
    for service, methods in services.items():
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method, kind.FromString, lambda reply: reply.SerializeToString())
            for name, (method, kind) in methods.items()
        }
        generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
        server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"127.0.0.1:{given.port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
