"""How to reach the gateway: address, key, certificates, time limits."""

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

# A running machine accepts a connection at once; one that is off would block for `timeout_s`.
_CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Connection:
    """Validated settings of a client, created by :meth:`to`.

    Attributes:
        url: the gateway's, without a trailing slash.
        api_key: sent as ``Authorization: Bearer``; None if none is needed.
        timeout_s: for each step of a request: connecting, sending, waiting for the reply.
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
        """Validate; ``SEGCLIENT_URL`` and ``SEGCLIENT_API_KEY`` replace what is not given.

        Args:
            url: ``http://host:port``, ``https://…``, with a path if a proxy serves the gateway under one.
            api_key: as ``segstack gateway new-key`` printed it.
            ca: PEM file of a certificate authority to trust in addition to the usual ones.
            timeout_s: seconds.

        Raises:
            SettingsError: one of them is invalid.
        """
        address = _parse_url(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL)
        key = (api_key or os.environ.get(KEY_VARIABLE) or "").strip() or None
        if key and not (key.isascii() and key.isprintable()):
            raise SettingsError(
                "the API key has characters that no key has; expected it as `segstack gateway new-key` printed it"
            )
        if not timeout_s > 0:
            raise SettingsError(f"a timeout of {timeout_s:g} s: expected more than 0")
        return cls(address, key, timeout_s, _tls_context(ca) if address.scheme == "https" else None)

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every HTTP request and with the stream's handshake."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def stream_url(self) -> str:
        """The URL of ``WS /stream``."""
        scheme = "wss" if self.url.scheme == "https" else "ws"
        return str(self.url.copy_with(scheme=scheme, path=f"{self.url.path.rstrip('/')}/stream"))

    @property
    def is_local(self) -> bool:
        """Whether the gateway runs on this machine, which the proxy of ``http_proxy`` cannot reach."""
        if self.url.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.url.host).is_loopback
        except ValueError:
            return False

    @property
    def timeout(self) -> httpx.Timeout:
        """httpx's time limits. Waiting for a pooled connection is unlimited: the requests that use them are limited."""
        return httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, _CONNECT_TIMEOUT_S), pool=None)


def _parse_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise SettingsError(f"{text!r} is not a URL ({error}); expected for instance {DEFAULT_URL}") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise SettingsError(
            f"{text!r} is not a gateway's URL; expected http(s)://host:port, for instance {DEFAULT_URL}"
        )
    return url.copy_with(path=url.path.rstrip("/") or "/")


def _tls_context(ca: str | Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:
            raise SettingsError(
                f"{ca} cannot be used as a certificate authority: {error.strerror or error}; expected a PEM file, "
                "the ca.pem that `segstack gateway cert` wrote on the gateway's machine"
            ) from None
    return context
