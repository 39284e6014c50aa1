"""How uvicorn is set up to serve the gateway, and how it ends."""

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
from gateway.stream.wire import FRAME_HEADER_BYTES
from gateway.transport.http_protocol import ImpatientProtocol
from gateway.transport.websocket_protocol import ImpatientWebSocket


class GracefulServer(uvicorn.Server):
    """On SIGTERM not ready any more; after ``shutdown_delay_ms`` closed to new requests, while those taken on finish.

    All of it within the delay and the deadline of one request: what has not even arrived by then is given up.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so on /readyz first, for whoever sends requests here, and give them time to look."""
        state: AppState = self.lifespan.state["gateway"]
        state.admission.is_closing = True
        await asyncio.sleep(state.settings.shutdown_delay_ms / 1000)
        for listening in self.servers:
            listening.close()
        ends_at = asyncio.get_running_loop().time() + state.settings.deadline_ms / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends_at):
                await state.streams.close()
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
            http=cast(Any, partial(ImpatientProtocol, settings)),
            # The implementation on websockets' sans-I/O core: the one uvicorn chooses itself, and the one that stops
            # reading while nobody receives.
            ws=cast(Any, partial(ImpatientWebSocket, settings)),
            ws_max_size=settings.max_frame_bytes + FRAME_HEADER_BYTES,
            ws_per_message_deflate=False,  # JPEG does not get smaller, only later
            loop="uvloop",
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            # An address in X-Forwarded-For is anybody's word, unless a proxy of ours wrote it.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            log_config=None,  # gateway.request.logs has set up logging for everyone
            access_log=False,  # gateway.request.middleware writes the line
        )
    )
