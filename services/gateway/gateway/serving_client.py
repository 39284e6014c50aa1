"""The one file that knows gRPC: TensorFlow Serving's three calls, and its status codes as the gateway's errors."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn, Self

import grpc
import grpc.aio
import numpy as np
from google.protobuf.wrappers_pb2 import Int64Value
from numpy.typing import NDArray

import contract
from gateway import tensors
from gateway.deadline import Deadline
from gateway.errors import (
    BadServingReply,
    ModelUnavailable,
    ServingUnavailable,
    UnknownVersion,
)
from gateway.protocol import serving_pb2 as pb
from gateway.serving_replies import (
    Prediction,
    ServedModel,
    VersionStatus,
    available,
    check_signature,
    read_card,
    read_mask,
    read_version,
    read_versions,
)

_CHANNEL_OPTIONS = (
    # A 12-megapixel mask in int_val is up to 24 MB; gRPC's default stops at 4.
    ("grpc.max_receive_message_length", 256 * 2**20),
    # gRPC waits up to two minutes before it looks again; a restarted server should be found at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Serving is a neighbour, never behind the proxy that http_proxy may name.
    ("grpc.enable_http_proxy", 0),
)


class _RequestRefused(BadServingReply):
    """Serving found our request wrong, as it does when the model changed between its card and this call."""


class ServingClient:
    """Asks one serving address. Closed by leaving its ``async with``.

    A version is immutable once published, so its card is asked for once and kept as long as the connection lasts.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._metadata = self._method("PredictionService/GetModelMetadata", pb.GetModelMetadataResponse)
        self._status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)
        self._served: dict[tuple[str, int], ServedModel] = {}
        self._newest: dict[str, int] = {}
        self._describing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._forget_when_disconnected())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        with suppress(asyncio.CancelledError):  # anything else that ended it is a fault to be heard of
            await self._watch
        await self._channel.close()

    async def segment(
        self,
        model: str,
        version: int | None,
        prepare: Callable[[contract.ModelCard], Awaitable[NDArray[np.uint8]]],
        deadline: Deadline,
    ) -> Prediction:
        """One mask from ``version``, or from whichever serving holds newest.

        Args:
            model: its name in serving.
            version: None follows serving: the reply says which version it was, and that one's card counts.
            prepare: gives the image for a card, uint8 [H,W,3] RGB at its input size.
            deadline: for all of it.

        Raises:
            UnknownVersion, ModelUnavailable, ServingUnavailable, DeadlineExceeded, BadServingReply
        """
        # Twice, because a new version with another input size may arrive between its predecessor's card and
        # the call; it then answers nonsense or refuses, and is asked again with what its own card says.
        for last_attempt in (False, True):
            expected = await self.describe(model, version, deadline)
            image = await prepare(expected.card)
            request = pb.PredictRequest(
                model_spec=_model_spec(model, version, contract.SERVING_DEFAULT),
                inputs={"image": tensors.from_image(image)},
                output_filter=["mask"],
            )
            try:
                reply = await self._call(self._predict, request, deadline)
            except _RequestRefused:
                if version is not None or last_attempt:
                    raise
                self._newest.pop(model, None)
                continue
            answered = read_version(reply.model_spec, version)
            actual = await self.describe(model, answered, deadline)
            if version is None:
                self._newest[model] = answered
            if image.shape[:2] == (actual.card.input_height, actual.card.input_width):
                return Prediction(actual, read_mask(reply, actual.card))
        raise ModelUnavailable(f"model {model!r} was replaced twice during one request; try again")

    async def describe(self, model: str, version: int | None, deadline: Deadline) -> ServedModel:
        """The card of ``version``, or of the newest as far as known; from memory once it has been asked.

        Raises:
            the same as :meth:`segment`
        """
        if served := self._known(model, version):
            return served
        async with self._describing[model]:  # a burst at start asks once
            if served := self._known(model, version):
                return served
            served = await self._ask_card(model, version, deadline)
            self._served[model, served.version] = served
            if version is None:
                self._newest[model] = served.version
            return served

    async def versions(self, model: str, deadline: Deadline) -> list[VersionStatus]:
        """Every version serving knows of, newest first, failed and unloaded ones included.

        Raises:
            ModelUnavailable, ServingUnavailable, DeadlineExceeded, BadServingReply
        """
        request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=model))
        reply = await self._call(self._status, request, deadline)
        return read_versions(reply)

    async def _forget_when_disconnected(self) -> None:
        """What comes back may be another server, with other models under the same names and numbers."""
        state = self._channel.get_state()
        while True:
            await self._channel.wait_for_state_change(state)
            state = self._channel.get_state()
            if state is not grpc.ChannelConnectivity.READY:
                self._served.clear()

    def _known(self, model: str, version: int | None) -> ServedModel | None:
        wanted = self._newest.get(model) if version is None else version
        return None if wanted is None else self._served.get((model, wanted))

    async def _ask_card(self, model: str, version: int | None, deadline: Deadline) -> ServedModel:
        request = pb.PredictRequest(
            model_spec=_model_spec(model, version, contract.DESCRIBE), inputs={"query": tensors.from_text("card")}
        )
        reply = await self._call(self._predict, request, deadline)
        answered = read_version(reply.model_spec, version)
        where = f"model {model!r} version {answered}"
        card = read_card(reply, where)
        metadata = pb.GetModelMetadataRequest(model_spec=_model_spec(model, answered), metadata_field=["signature_def"])
        check_signature(await self._call(self._metadata, metadata, deadline), card, where)
        return ServedModel(model, answered, card)

    def _method(self, name: str, reply: Any) -> Any:
        return self._channel.unary_unary(
            f"/tensorflow.serving.{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=reply.FromString,
        )

    async def _call(self, method: Any, request: Any, deadline: Deadline) -> Any:
        """One unary call; every way it can fail becomes one of the gateway's errors here."""
        try:
            reply = await method(request, timeout=deadline.remaining_s())
            if reply is not None:
                return reply
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), (error.details() or "").strip()
        else:  # what grpc.aio gives for bytes that are no such message
            raise BadServingReply(f"the reply of serving at {self._address} cannot be parsed")
        spec = request.model_spec
        match code:
            case grpc.StatusCode.NOT_FOUND:
                await self._raise_not_found(spec, deadline, by_status=method is self._status)
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                raise ServingUnavailable(f"serving at {self._address} is away: {details}")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                raise deadline.exceeded()
            case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" not in details:
                raise ServingUnavailable(f"serving has no room for another request: {details}")
            case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.FAILED_PRECONDITION:
                raise _RequestRefused(f"serving refused model {spec.name!r}: {details}")
            case _:
                raise BadServingReply(f"serving failed on model {spec.name!r} with {code.name}: {details}")

    async def _raise_not_found(self, spec: pb.ModelSpec, deadline: Deadline, *, by_status: bool) -> NoReturn:
        """What NOT_FOUND means: not the model yet, none of its versions loaded, or not this version."""
        self._newest.pop(spec.name, None)
        if by_status:
            # The catalog lists it, so it is on its way: serving polls, or is still loading.
            raise ModelUnavailable(f"serving does not have model {spec.name!r} yet", model=spec.name)
        loaded = available(spec.name, await self.versions(spec.name, deadline))
        if not spec.HasField("version"):
            raise ModelUnavailable(f"model {spec.name!r} became available during this request; try again")
        raise UnknownVersion(
            f"model {spec.name!r} has no version {spec.version.value} loaded; it has {loaded}",
            model=spec.name,
            available=loaded,
        )


def _model_spec(model: str, version: int | None, signature: str = "") -> pb.ModelSpec:
    pinned = None if version is None else Int64Value(value=version)
    return pb.ModelSpec(name=model, version=pinned, signature_name=signature)
