"""What the synchronous and the asyncio client share."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from segclient.api.connection import Connection
from segclient.api.retries import Retries
from segclient.errors import SettingsError

# The proxy of http_proxy is not used for a gateway on this machine.
_NO_PROXY = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}


class BaseClient(ABC):
    """Settings, HTTP options and retries of a client.

    Args:
        url: the gateway's; default: ``SEGCLIENT_URL``, else http://localhost:8000.
        api_key: default: ``SEGCLIENT_API_KEY``, else none.
        ca: PEM file of a certificate authority to trust: the ``ca.pem`` that ``segstack gateway cert`` wrote on
            the gateway's machine.
        timeout_s: seconds for each step of a request.
        patience_s: seconds to retry a request while the gateway is busy, restarting or unreachable; it waits as long as
            Retry-After says. 0 tries once.

    Raises:
        SettingsError: one of them is invalid.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        timeout_s: float = 30.0,
        patience_s: float = 30.0,
    ) -> None:
        if not patience_s >= 0:
            raise SettingsError(f"a patience of {patience_s:g} s: expected 0 or more")
        self.connection = Connection.to(url, api_key=api_key, ca=ca, timeout_s=timeout_s)
        self.patience_s = patience_s
        self._retries = Retries(patience_s)
        self._open(
            {
                "base_url": self.connection.url,
                "headers": self.connection.headers,
                "timeout": self.connection.timeout,
                "verify": self.connection.tls or False,
                "mounts": _NO_PROXY,
            }
        )

    @abstractmethod
    def _open(self, http_options: dict[str, Any]) -> None:
        """Create httpx's client with these options."""
