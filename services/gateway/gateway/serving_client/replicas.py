"""Connections to one or several servers, used round-robin.

When a call is retried: it goes to another server only if it was never sent, because no connection could be made. Once
sent it may have been processed, and is not repeated: an image that crashes one server must not reach the next.
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
from gateway.serving_client.wire import WrittenRequest

_OPTIONS = (
    # A 12-megapixel mask in int_val is up to 24 MB; gRPC's default stops at 4.
    ("grpc.max_receive_message_length", 256 * 2**20),
    # By default gRPC waits up to two minutes before it reconnects; a restarted server should be found at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name with several addresses is several servers.
    ("grpc.lb_policy_name", "round_robin"),
    # A machine that vanished never closes its connections: a ping not acknowledged in 5 s does. Pings are sent only
    # while a call has been waiting for 20 s, which servers that limit pings (TF Serving's gRPC does) allow.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Serving is on the same network, never behind the proxy that http_proxy may name.
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
        """As far as TCP knows; if not, starts connecting."""
        return self._channel.get_state(try_to_connect=True) is _READY

    async def connect(self) -> Self | None:
        """Itself once it is connected; None if the attempt failed."""
        while (state := self._channel.get_state(try_to_connect=True)) is not _READY:
            if state is _FAILED:
                return None
            await self._channel.wait_for_state_change(state)
        return self

    async def call(self, name: str, request: Any, reply: Any, timeout_s: float) -> Any:
        """One unary call, as ``PredictionService/Predict``, in the caller's trace; None if the reply cannot be parsed.

        Raises:
            grpc.aio.AioRpcError: the call failed.
        """
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(
                f"/tensorflow.serving.{name}",
                request_serializer=_bytes_of,
                response_deserializer=reply.FromString,
            )
        return await self._methods[name](request, timeout=timeout_s, metadata=trace_metadata())

    async def watch(self, lost: Callable[[], None]) -> None:
        """Call ``lost`` whenever the connection ends; runs until cancelled."""
        state = self._channel.get_state()
        while True:
            await self._channel.wait_for_state_change(state)
            state = self._channel.get_state()
            if state is not _READY:
                lost()

    async def close(self) -> None:
        """Cancel its calls and close its connection."""
        await self._channel.close()


def _bytes_of(request: Any) -> bytes:
    data: bytes = request.data if isinstance(request, WrittenRequest) else request.SerializeToString()
    return data


class Replicas:
    """Takes the connected addresses round-robin. An async context manager: leaving it closes every connection."""

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
            with suppress(asyncio.CancelledError):  # any other exception is a bug and must surface
                await watch
        for replica in self._all:
            await replica.close()

    async def pick(self, deadline: Deadline) -> Replica:
        """The next one that is connected; if none is, the first that a connection can be made to.

        Raises:
            ServingUnavailable: no address can be connected to.
            DeadlineExceeded: no attempt ended in time.
        """
        order = self._all[self._next :] + self._all[: self._next]
        self._next = (self._next + 1) % len(self._all)
        for replica in order:
            if replica.is_connected():
                return replica
        attempts = [asyncio.create_task(replica.connect()) for replica in order]
        try:
            async with deadline.enforced():
                for attempt in asyncio.as_completed(attempts):
                    if connected := await attempt:
                        return connected
        finally:
            for pending in attempts:
                pending.cancel()
        addresses = ", ".join(replica.address for replica in self._all)
        raise ServingUnavailable(f"serving at {addresses} cannot be reached: no connection; is it running?")
