"""tensorflow.serving.ModelService: GetModelStatus and HandleReloadConfigRequest."""

import logging
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc

from serving.errors import invalid_argument, not_found
from serving.models.manager import Manager
from serving.rpc.status import answers_errors

log = logging.getLogger(__name__)


def model_status(manager: Manager, request: Any) -> Any:
    """The ``GetModelStatusResponse`` to a request; a label in it is ignored, as in TensorFlow Serving.

    Raises:
        ServingError: INVALID_ARGUMENT without a model_spec, NOT_FOUND for a model or version that never existed.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    states = manager.snapshot(spec.name)
    if spec.HasField("version"):
        wanted = spec.version.value
        states = [entry for entry in states if entry[0] == wanted]
        if not states:
            raise not_found(f"Could not find version {wanted} of model {spec.name}")
    if not states:
        raise not_found(f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, state, error in states:
        status = response.model_version_status.add(version=version, state=state.value)
        status.status.error_code = error.code.value[0] if error else 0
        status.status.error_message = error.message if error else ""
    return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Reports the manager's models, and changes them."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    @answers_errors
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """State and error of one version, or of all versions ever seen, the highest first."""
        return model_status(self._manager, request)

    @answers_errors
    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Replace the whole list of models; answer when the newly listed ones have loaded."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        names = ", ".join(config.name for config in request.config.model_config_list.config)
        log.info("new configuration: serve %s", names or "nothing")
        self._manager.reload(request.config, cancelled=lambda: not context.is_active())
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response
