"""Connections to one or several servers, taken in turn.

The rule for trying again: a call goes to another server only when it was never sent, because no connection could be
made. Once sent it may have been worked on, and is not repeated: a picture that takes one server down must not be
handed to the next.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

import grpc
import grpc.aio

from gateway.errors import ServingUnavailable
from gateway.flow.deadline import Deadline
from gateway.flow.tracing import trace_metadata
from gateway.serving_client.pieces import WrittenRequest

_OPTIONS = (
    # A 12-megapixel mask in int_val is up to 24 MB; gRPC's default stops at 4.
    ("grpc.max_receive_message_length", 256 * 2**20),
    # gRPC waits up to two minutes before it looks again; a restarted server should be found at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name with several addresses is several servers.
    ("grpc.lb_policy_name", "round_robin"),
    # A machine that vanished says nothing: what it has not acknowledged in 5 s ends the connection. Pings go only to
    # one that keeps a call waiting for 20 s, which servers that punish pings (TF Serving's gRPC does) do not mind.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Serving is a neighbour, never behind the proxy that http_proxy may name.
    ("grpc.enable_http_proxy", 0),
)

_READY = grpc.ChannelConnectivity.READY
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE


class Replica:
    """One address and its channel."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._methods: dict[str, Any] = {}

    def is_connected(self) -> bool:
        """As far as TCP knows; where not, a connection is begun."""
        return self._channel.get_state(try_to_connect=True) is _READY

    async def connect(self) -> Self | None:
        """Itself once it is connected; None when an attempt has failed."""
        while (state := self._channel.get_state(try_to_connect=True)) is not _READY:
            if state is _FAILED:
                return None
            await self._channel.wait_for_state_change(state)
        return self

    async def call(self, name: str, request: Any, reply: Any, timeout_s: float) -> Any:
        """One unary call, as ``PredictionService/Predict``, within the caller's trace; None for bytes no ``reply``.

        Raises:
            grpc.aio.AioRpcError: whatever went wrong.
        """
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(
                f"/tensorflow.serving.{name}",
                request_serializer=_bytes_of,
                response_deserializer=reply.FromString,
            )
        return await self._methods[name](request, timeout=timeout_s, metadata=trace_metadata())

    async def watch(self, lost: Callable[[], None]) -> None:
        """Call ``lost`` whenever the connection ends; for ever."""
        state = self._channel.get_state()
        while True:
            await self._channel.wait_for_state_change(state)
            state = self._channel.get_state()
            if state is not _READY:
                lost()

    async def close(self) -> None:
        """End its calls and its connection."""
        await self._channel.close()


def _bytes_of(request: Any) -> bytes:
    data: bytes = request.data if isinstance(request, WrittenRequest) else request.SerializeToString()
    return data


class Replicas:
    """Every address in turn, those without a connection left out. Closed by leaving its ``async with``."""

    def __init__(self, addresses: Sequence[str], lost: Callable[[], None]) -> None:
        self._all = [Replica(address) for address in addresses]
        self._lost = lost
        self._next = 0

    async def __aenter__(self) -> Self:
        self._watches = [asyncio.create_task(replica.watch(self._lost)) for replica in self._all]
        return self

    async def __aexit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.cancel()
            with suppress(asyncio.CancelledError):  # anything else that ended it is a fault to be heard of
                await watch
        for replica in self._all:
            await replica.close()

    async def pick(self, deadline: Deadline) -> Replica:
        """The next that is connected; with none, the first to which a connection can be made.

        Raises:
            ServingUnavailable: there is none.
            DeadlineExceeded: no attempt came to an end in time.
        """
        turn = self._all[self._next :] + self._all[: self._next]
        self._next = (self._next + 1) % len(self._all)
        for replica in turn:
            if replica.is_connected():
                return replica
        attempts = [asyncio.create_task(replica.connect()) for replica in turn]
        try:
            async with deadline.enforced():
                for attempt in asyncio.as_completed(attempts):
                    if connected := await attempt:
                        return connected
        finally:
            for pending in attempts:
                pending.cancel()
        addresses = ", ".join(replica.address for replica in self._all)
        raise ServingUnavailable(f"serving at {addresses} is away: no connection; is it running?")
