"""How uvicorn is set up to serve the gateway, and how it ends."""

import asyncio
import socket
from functools import partial
from typing import Any, cast

import uvicorn

from gateway.app import create_app
from gateway.deps import AppState
from gateway.http_protocol import ImpatientProtocol
from gateway.settings import Settings


class GracefulServer(uvicorn.Server):
    """On SIGTERM not ready any more; after ``shutdown_delay_ms`` closed to new requests, while those taken on finish.

    All of it within the delay and the deadline of one request: what has not even arrived by then is given up.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so on /readyz first, for whoever sends requests here, and give them time to look."""
        state: AppState = self.lifespan.state["gateway"]
        state.admission.is_closing = True
        await asyncio.sleep(state.settings.shutdown_delay_ms / 1000)
        await super().shutdown(sockets)


def server(settings: Settings) -> GracefulServer:
    """A server for these settings; its ``run`` serves until SIGINT or SIGTERM."""
    return GracefulServer(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            http=cast(Any, partial(ImpatientProtocol, settings)),
            ws="none",
            loop="uvloop",
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            # An address in X-Forwarded-For is anybody's word, unless a proxy of ours wrote it.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            log_config=None,  # gateway.logs has set up logging for everyone
            access_log=False,  # gateway.middleware writes the line
            timeout_graceful_shutdown=settings.deadline_ms // 1000 + 1,
        )
    )
