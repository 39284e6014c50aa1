"""One call to serving, and every way it can fail as one of the gateway's errors."""

from typing import Any

import grpc
import grpc.aio

from gateway.errors import BadServingReply, GatewayError, ServingUnavailable, UnknownVersion
from gateway.flow.deadline import Deadline
from gateway.serving_client.pieces import WrittenRequest
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.replicas import Replicas

_REPLIES: dict[type, tuple[str, Any]] = {
    WrittenRequest: ("PredictionService/Predict", pb.PredictResponse),
    pb.PredictRequest: ("PredictionService/Predict", pb.PredictResponse),
    pb.GetModelMetadataRequest: ("PredictionService/GetModelMetadata", pb.GetModelMetadataResponse),
    pb.GetModelStatusRequest: ("ModelService/GetModelStatus", pb.GetModelStatusResponse),
}


class NotServed(Exception):  # noqa: N818 - as it reads after `raise`
    """Serving answered NOT_FOUND: the model, or this version of it, is not there."""


class RequestRefused(BadServingReply):
    """Serving found our request wrong, as it does when the model changed between its card and this call."""


class UnknownLabel(UnknownVersion):
    """No version of the model has the label, or one that is not loaded.

    ``may_be_loading``: one has it, and serving, which has newer ones already, still loads some.
    """

    def __init__(self, model: str, label: str, *, may_be_loading: bool = False) -> None:
        super().__init__(
            f"model {model!r} has no version labelled {label!r} loaded; python -m contract list shows its labels",
            model=model,
            label=label,
        )
        self.may_be_loading = may_be_loading


async def call(replicas: Replicas, request: Any, deadline: Deadline) -> Any:
    """The reply to ``request``, whose type says which call it is.

    Raises:
        NotServed: for the caller to explain.
        ServingUnavailable, DeadlineExceeded, UnknownVersion, BadServingReply
    """
    name, reply_type = _REPLIES[type(request)]
    replica = await replicas.pick(deadline)
    try:
        reply = await replica.call(name, request, reply_type, deadline.remaining_s())
    except grpc.aio.AioRpcError as error:
        raise _as_ours(error, request.model_spec, replica.address, deadline) from None
    if reply is None:  # what grpc.aio gives for bytes that are no such message
        raise BadServingReply(f"the reply of serving at {replica.address} cannot be parsed")
    return reply


def _as_ours(
    error: grpc.aio.AioRpcError, spec: pb.ModelSpec, address: str, deadline: Deadline
) -> GatewayError | NotServed:
    code, details = error.code(), (error.details() or "").strip()
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return NotServed(details)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return ServingUnavailable(f"serving at {address} is away: {details}")
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
