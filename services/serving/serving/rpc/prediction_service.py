"""tensorflow.serving.PredictionService: Predict and GetModelMetadata.

Classify, Regress and MultiInference take tf.Example; they answer UNIMPLEMENTED, as the base class does.
"""

from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from serving import metrics
from serving.errors import invalid_argument
from serving.models.manager import Manager
from serving.models.predict import Reply, predict
from serving.rpc.status import answers_errors, timeout_ms

_SIGNATURE_DEF = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers requests with the manager's models."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    @answers_errors
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Reply:  # noqa: N802
        """Run one signature of one version."""
        with metrics.predict_request(request.model_spec.name, self._manager.is_known):
            if not request.HasField("model_spec"):
                raise invalid_argument("Missing ModelSpec")
            with self._manager.use(request.model_spec) as (version, servable):
                reply = predict(servable, request, timeout_ms(context))
            reply.model_spec.version.value = version
            return reply

    @answers_errors
    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Every signature of one version, as an ``Any`` of SignatureDefMap."""
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {field} is not supported")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._manager.use(request.model_spec) as (version, servable):
            for name, signature in servable.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata[_SIGNATURE_DEF].Pack(signatures)
        return response


def add_to_server(service: PredictionService, server: grpc.Server) -> None:
    """Register the service; Predict separately: it returns a :class:`Reply`, which the generated code cannot write."""
    predict_method = grpc.unary_unary_rpc_method_handler(
        service.Predict, predict_pb2.PredictRequest.FromString, Reply.serialize
    )
    handler = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": predict_method})
    server.add_generic_rpc_handlers((handler,))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
