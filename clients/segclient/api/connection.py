"""Where the gateway is and how it is spoken to: address, key, certificates, time limits."""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from segclient.errors import SettingsError

DEFAULT_URL = "http://localhost:8000"
URL_VARIABLE, KEY_VARIABLE = "SEGCLIENT_URL", "SEGCLIENT_API_KEY"

# A machine that is there answers a connection at once; one that is off would hold up everything for `timeout_s`.
_CONNECT_S = 10.0


@dataclass(frozen=True)
class Connection:
    """Checked settings of a client; :meth:`to` makes one.

    Attributes:
        url: of the gateway, without a slash at the end.
        api_key: sent as ``Authorization: Bearer``; None where none is needed.
        timeout_s: for each step of an exchange: connecting, sending, waiting for the reply.
        tls: None for plain HTTP.
    """

    url: httpx.URL
    api_key: str | None = field(repr=False)
    timeout_s: float
    tls: ssl.SSLContext | None

    @classmethod
    def to(
        cls, url: str | None, *, api_key: str | None = None, ca: str | Path | None = None, timeout_s: float = 30.0
    ) -> Self:
        """What was not given is looked for in ``SEGCLIENT_URL`` and ``SEGCLIENT_API_KEY``.

        Args:
            url: ``http://host:port``, ``https://…``, with a path where a proxy puts the gateway under one.
            api_key: as ``python -m gateway new-key`` printed it.
            ca: PEM file of an authority to trust beside those that everyone does.
            timeout_s: seconds.

        Raises:
            SettingsError: one of them cannot be used.
        """
        address = _checked(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL)
        key = (api_key or os.environ.get(KEY_VARIABLE) or "").strip() or None
        if key and not (key.isascii() and key.isprintable()):
            raise SettingsError("the API key has characters that no key has; expected it as it was given out")
        if not timeout_s > 0:
            raise SettingsError(f"a timeout of {timeout_s:g} s: expected more than 0")
        return cls(address, key, timeout_s, _trusting(ca) if address.scheme == "https" else None)

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request, and with a stream's first."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def stream_url(self) -> str:
        """Of ``WS /stream``."""
        scheme = "wss" if self.url.scheme == "https" else "ws"
        return str(self.url.copy_with(scheme=scheme, path=f"{self.url.path.rstrip('/')}/stream"))

    @property
    def is_local(self) -> bool:
        """This machine itself, which no proxy of ``http_proxy`` leads to."""
        if self.url.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.url.host).is_loopback
        except ValueError:
            return False

    @property
    def timeout(self) -> httpx.Timeout:
        """For httpx. Waiting for a connection of its pool has no limit: each of them has."""
        return httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, _CONNECT_S), pool=None)


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise SettingsError(f"{text!r} is no URL ({error}); expected for instance {DEFAULT_URL}") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise SettingsError(f"{text!r} is no gateway's URL; expected http(s)://host:port, for instance {DEFAULT_URL}")
    return url.copy_with(path=url.path.rstrip("/") or "/")


def _trusting(ca: str | Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:
            raise SettingsError(
                f"{ca} cannot be used as an authority's certificate: {error.strerror or error}; expected a PEM file, "
                "such as the ca.pem that `make cert` makes"
            ) from None
    return context
