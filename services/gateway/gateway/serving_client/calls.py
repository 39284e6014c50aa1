"""One call to serving; every way it can fail becomes one of the gateway's errors."""

from typing import Any

import grpc
import grpc.aio

from gateway.errors import BadServingReply, GatewayError, ServingUnavailable, UnknownVersion
from gateway.flow.deadline import Deadline
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.replicas import Replicas
from gateway.serving_client.wire import WrittenRequest

_REPLIES: dict[type, tuple[str, Any]] = {
    WrittenRequest: ("PredictionService/Predict", pb.PredictResponse),
    pb.PredictRequest: ("PredictionService/Predict", pb.PredictResponse),
    pb.GetModelMetadataRequest: ("PredictionService/GetModelMetadata", pb.GetModelMetadataResponse),
    pb.GetModelStatusRequest: ("ModelService/GetModelStatus", pb.GetModelStatusResponse),
}


class NotServed(Exception):  # noqa: N818 - as it reads after `raise`
    """Serving replied NOT_FOUND: it has no such model, or no such version of it."""


class RequestRefused(BadServingReply):
    """Serving rejected the request, as it does when the model changed after its card was read."""


class UnknownLabel(UnknownVersion):
    """No version of the model has the label, or the one that has it is not loaded.

    ``may_be_loading``: serving has newer versions loaded and is still loading older ones, perhaps the one meant.
    """

    def __init__(self, model: str, label: str, *, may_be_loading: bool = False) -> None:
        super().__init__(
            f"model {model!r} has no version labelled {label!r} loaded; `segstack models list` shows its labels",
            model=model,
            label=label,
        )
        self.may_be_loading = may_be_loading


async def call(replicas: Replicas, request: Any, deadline: Deadline) -> Any:
    """The reply to ``request``; its type decides which of serving's methods is called.

    Raises:
        NotServed: what it means is for the caller to find out.
        ServingUnavailable, DeadlineExceeded, UnknownVersion, BadServingReply
    """
    name, reply_type = _REPLIES[type(request)]
    replica = await replicas.pick(deadline)
    try:
        reply = await replica.call(name, request, reply_type, deadline.remaining_s())
    except grpc.aio.AioRpcError as error:
        raise _to_gateway_error(error, request.model_spec, replica.address, deadline) from None
    if reply is None:  # grpc.aio's result for bytes that cannot be parsed
        raise BadServingReply(f"the reply of serving at {replica.address} cannot be parsed")
    return reply


def _to_gateway_error(
    error: grpc.aio.AioRpcError, spec: pb.ModelSpec, address: str, deadline: Deadline
) -> GatewayError | NotServed:
    code, details = error.code(), (error.details() or "").strip()
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return NotServed(details)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return ServingUnavailable(f"serving at {address} cannot be reached: {details}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return deadline.exceeded()
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" not in details:
            return ServingUnavailable(f"serving has no room for another request: {details}")
        case grpc.StatusCode.INVALID_ARGUMENT if spec.version_label and "version label" in details:
            return UnknownLabel(spec.name, spec.version_label)
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.FAILED_PRECONDITION:
            return RequestRefused(f"serving refused model {spec.name!r}: {details}")
        case _:
            return BadServingReply(f"serving failed on model {spec.name!r} with {code.name}: {details}")
