"""The gateway's client of TensorFlow Serving: masks, cards, versions."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from google.protobuf.wrappers_pb2 import Int64Value
from numpy.typing import NDArray

import contract
from gateway.api.targets import Target
from gateway.errors import ModelUnavailable, UnknownVersion
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.serving_client import foreign, tensors
from gateway.serving_client.calls import NotServed, RequestRefused, UnknownLabel, call
from gateway.serving_client.default_label import DefaultLabel
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.serving_client.replicas import Replicas
from gateway.serving_client.replies import (
    Prediction,
    ServedModel,
    VersionStatus,
    available,
    read_card,
    read_signatures,
    read_version,
    read_versions,
)
from gateway.serving_client.signatures import ContractGraph, Graph, check_contract
from gateway.serving_client.wire import WrittenRequest, predict_request


@dataclass(frozen=True)
class _Loaded:
    """One version's card and graph, as serving described them."""

    served: ServedModel
    graph: Graph


class ServingClient:
    """Calls one serving address, or several round-robin. An async context manager: leaving it closes the connections.

    A version is immutable once published, so its card is fetched once and kept as long as the connections last.
    """

    def __init__(
        self, addresses: Sequence[str], codecs: CodecPool, cards: Path | None = None, default_label: str | None = None
    ) -> None:
        self._codecs = codecs
        self._cards = cards
        self._default_label = DefaultLabel(default_label)
        self._loaded: dict[tuple[str, int], _Loaded] = {}
        # The version that answered last for a target without a version number: the newest, or the one with its label.
        self._latest: dict[Target, int] = {}
        self._describing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # After a reconnect it may be another server, with other models under the same names and numbers.
        self._replicas = Replicas(addresses, lost=self._loaded.clear)

    async def __aenter__(self) -> Self:
        await self._replicas.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._replicas.__aexit__()

    async def segment(
        self,
        target: Target,
        prepare: Callable[[contract.ModelCard], NDArray[np.uint8]],
        deadline: Deadline,
        *,
        signature: str = contract.SERVING_DEFAULT,
        gate: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> Prediction:
        """Segment one image.

        Args:
            target: the model and version; where it names no number, the reply does, and that version's card counts.
            prepare: makes the image for a card, uint8 [H,W,3] RGB at its input size; called in a codec thread.
            deadline: for the whole call.
            signature: of the contract; decides which outputs the prediction has.
            gate: a context entered when the request is ready, and left when serving has replied.

        Raises:
            UnknownVersion, ModelUnavailable, ServingUnavailable, DeadlineExceeded, BadServingReply
            InvalidParameter: a foreign model has nothing that corresponds to ``signature``.
        """
        segment = partial(self._segment, prepare=prepare, deadline=deadline, signature=signature, gate=gate)
        return await self._default_label.apply(target, segment)

    async def _segment(
        self,
        target: Target,
        prepare: Callable[[contract.ModelCard], NDArray[np.uint8]],
        deadline: Deadline,
        signature: str,
        gate: Callable[[], AbstractAsyncContextManager[None]],
    ) -> Prediction:
        # Twice, because a new version with another input size may be loaded between reading the old one's card and
        # the call; it then replies with an error or a wrong shape, and is called again according to its own card.
        for last_attempt in (False, True):
            expected = await self._load(target, deadline)
            request = await self._codecs.run(_write_request, expected.graph, prepare, target, signature)
            try:
                async with gate():
                    reply = await self._call(request, deadline)
            except UnknownLabel:
                self._latest.pop(target, None)
                raise
            except RequestRefused:
                if target.version is not None or last_attempt:
                    raise
                self._latest.pop(target, None)
                continue
            version = read_version(reply.model_spec, target.version)
            actual = await self._load(Target(target.model, version), deadline)
            if target.version is None:
                self._latest[target] = version
            if actual.graph.is_compatible_with(expected.graph):
                output = await self._codecs.run(actual.graph.read_reply, reply, signature)
                return Prediction(**vars(output), served=actual.served)
        raise ModelUnavailable(f"model {target.model!r} was replaced twice during one request; try again")

    async def describe(self, target: Target, deadline: Deadline) -> ServedModel:
        """The card of ``target``; where it names no number, of the version that answered last. Fetched once a version.

        Raises:
            the same as :meth:`segment`
        """
        return (await self._default_label.apply(target, partial(self._load, deadline=deadline))).served

    async def versions(self, model: str, deadline: Deadline) -> list[VersionStatus]:
        """Every version that serving reports, newest first, failed and unloaded ones included.

        Raises:
            ModelUnavailable, ServingUnavailable, DeadlineExceeded, BadServingReply
        """
        try:
            reply = await call(self._replicas, pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=model)), deadline)
        except NotServed:
            # The catalog lists it, so serving has not read models.config yet, or is still loading it.
            raise ModelUnavailable(
                f"serving does not have model {model!r} yet; try again in a moment", model=model
            ) from None
        return read_versions(reply)

    async def current(
        self, model: str, versions: Sequence[VersionStatus], deadline: Deadline
    ) -> tuple[int, str | None]:
        """The one of ``versions`` that answers requests without a version now, and the label that pins it, if any.

        Raises:
            ModelUnavailable, ServingUnavailable, DeadlineExceeded, BadServingReply
        """
        newest = available(model, versions)[0]

        async def resolve(target: Target) -> tuple[int, str | None]:
            if target.label is None:
                return newest, None
            # GetModelStatus ignores labels.
            version, _ = await self._metadata(target, deadline)
            self._latest[target] = version
            return version, target.label

        return await self._default_label.apply(Target(model), resolve)

    async def _load(self, target: Target, deadline: Deadline) -> _Loaded:
        if loaded := self._known(target):
            return loaded
        async with self._describing[target.model]:  # a burst of first requests fetches it once
            if loaded := self._known(target):
                return loaded
            loaded = await self._fetch(target, deadline)
            self._loaded[target.model, loaded.served.version] = loaded
            if target.version is None:
                self._latest[target] = loaded.served.version
            return loaded

    def _known(self, target: Target) -> _Loaded | None:
        version = self._latest.get(target) if target.version is None else target.version
        return None if version is None else self._loaded.get((target.model, version))

    async def _fetch(self, target: Target, deadline: Deadline) -> _Loaded:
        """Signatures first: they show whether the model has a card."""
        version, reply = await self._metadata(target, deadline)
        where = f"model {target.model!r} version {version}"
        signatures = read_signatures(reply, where)
        graph: Graph
        if contract.DESCRIBE in signatures:
            request = pb.PredictRequest(
                model_spec=_model_spec(Target(target.model, version), contract.DESCRIBE),
                inputs={"query": tensors.from_text("card")},
            )
            card = read_card(await self._call(request, deadline), where)
            check_contract(signatures, card, where)
            graph = ContractGraph(card)
        else:
            graph = await self._codecs.run(foreign.adapt, target.model, signatures, self._cards)
        return _Loaded(ServedModel(target.model, version, graph.card), graph)

    async def _metadata(self, target: Target, deadline: Deadline) -> tuple[int, pb.GetModelMetadataResponse]:
        """The version that ``target`` means, and a description of its signatures."""
        request = pb.GetModelMetadataRequest(model_spec=_model_spec(target), metadata_field=["signature_def"])
        reply = await self._call(request, deadline)
        return read_version(reply.model_spec, target.version), reply

    async def _call(self, request: Any, deadline: Deadline) -> Any:
        try:
            return await call(self._replicas, request, deadline)
        except NotServed:
            await self._explain_missing(request.model_spec, deadline)

    async def _explain_missing(self, spec: pb.ModelSpec, deadline: Deadline) -> NoReturn:
        """What NOT_FOUND means: none of the model's versions loaded yet, or not this one."""
        is_pinned = spec.HasField("version") or bool(spec.version_label)
        # A request for a version that does not exist must not discard what is known of the others.
        for target, version in list(self._latest.items()):
            if target.model == spec.name and (not is_pinned or version == spec.version.value):
                del self._latest[target]
        versions = await self.versions(spec.name, deadline)
        loaded = available(spec.name, versions)
        if spec.version_label:
            older = [status.state for status in versions if status.version < loaded[0]]
            raise UnknownLabel(spec.name, spec.version_label, may_be_loading=bool({"START", "LOADING"} & set(older)))
        if not is_pinned:
            raise ModelUnavailable(f"model {spec.name!r} became available during this request; try again")
        raise UnknownVersion(
            f"model {spec.name!r} has no version {spec.version.value} loaded; loaded versions: "
            f"{', '.join(map(str, loaded))}",
            model=spec.name,
            available=loaded,
        )


def _write_request(
    graph: Graph, prepare: Callable[[contract.ModelCard], NDArray[np.uint8]], target: Target, signature: str
) -> WrittenRequest:
    call = graph.build_call(prepare(graph.card), signature)
    return predict_request(_model_spec(target, call.signature), call.inputs, call.outputs)


def _model_spec(target: Target, signature: str = "") -> pb.ModelSpec:
    spec = pb.ModelSpec(name=target.model, signature_name=signature)
    if target.label is not None:
        spec.version_label = target.label
    elif target.version is not None:
        spec.version.CopyFrom(Int64Value(value=target.version))
    return spec
