"""How uvicorn is set up to serve the gateway."""

from functools import partial
from typing import Any, cast

import uvicorn

from gateway.app import create_app
from gateway.http_protocol import ImpatientProtocol
from gateway.settings import Settings


def server(settings: Settings) -> uvicorn.Server:
    """A server for these settings; its ``run`` serves until SIGINT or SIGTERM."""
    return uvicorn.Server(
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
