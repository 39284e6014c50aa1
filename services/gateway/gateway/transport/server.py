"""How uvicorn is set up to serve the gateway, and how it shuts down."""

import asyncio
import math
import socket
from contextlib import suppress
from functools import partial
from typing import Any, cast

import uvicorn

from gateway.app import create_app
from gateway.request.deps import AppState
from gateway.settings import Settings
from gateway.stream.streams import Streams
from gateway.stream.wire import FRAME_HEADER_BYTES
from gateway.transport.http_protocol import TimeoutHttpProtocol
from gateway.transport.websocket_protocol import TimeoutWebSocketProtocol


class GracefulServer(uvicorn.Server):
    """On SIGTERM unready; after ``shutdown_delay_ms`` closed to new requests, while those accepted finish.

    All of it takes at most the delay and the deadline of one request; a request that has not arrived completely by then
    is dropped.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn /readyz to 503, wait for load balancers to notice, then close."""
        state, streams = AppState.of(self.lifespan.state), Streams.of(self.lifespan.state)
        state.admission.is_closing = True
        await asyncio.sleep(state.settings.shutdown_delay_ms / 1000)
        for listening in self.servers:
            listening.close()
        ends_at = asyncio.get_running_loop().time() + state.settings.deadline_ms / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends_at):
                await streams.close()
        left_s = ends_at - asyncio.get_running_loop().time()
        self.config.timeout_graceful_shutdown = max(0, math.ceil(left_s)) + 1
        await super().shutdown(sockets)


def server(settings: Settings) -> GracefulServer:
    """A server for these settings; its ``run`` serves until SIGINT or SIGTERM."""
    return GracefulServer(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            http=cast(Any, partial(TimeoutHttpProtocol, settings)),
            # On websockets' sans-I/O core: uvicorn's own choice, and the one that stops reading while nothing receives.
            ws=cast(Any, partial(TimeoutWebSocketProtocol, settings)),
            ws_max_size=settings.max_frame_bytes + FRAME_HEADER_BYTES,
            ws_per_message_deflate=False,  # costs time and does not make JPEG smaller
            loop="uvloop",
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            # Anyone can send X-Forwarded-For; only our own proxies are trusted with it.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            log_config=None,  # gateway.request.logs has set up logging
            access_log=False,  # gateway.request.middleware logs requests
        )
    )
