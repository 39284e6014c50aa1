"""What both kinds of client are made of."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from segclient.api.connection import Connection
from segclient.api.retries import Retries
from segclient.errors import SettingsError

# Where this machine's own gateway is asked, the proxy that http_proxy names has no part in it.
_NO_PROXY = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}


class BaseClient(ABC):
    """A gateway's client.

    Args:
        url: of the gateway; default: ``SEGCLIENT_URL``, else http://localhost:8000.
        api_key: default: ``SEGCLIENT_API_KEY``, else none.
        ca: PEM file of an authority to trust, such as the ``ca.pem`` of ``make cert``.
        timeout_s: seconds for each step of an exchange.
        patience_s: seconds that one request may go on being refused by a gateway that is busy, restarting or away,
            before that is an error; waits are as long as its Retry-After says. 0 asks once.

    Raises:
        SettingsError: one of them cannot be used.
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
        """Make httpx's client, of either kind, with these."""
