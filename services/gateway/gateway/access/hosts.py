"""Which names the gateway answers to: its defence against DNS rebinding.

A web page's own host name may be made to resolve to 127.0.0.1, and the browser then takes the gateway for the page's
own server. The Host header still says whom the browser believes to talk to.
"""

from collections.abc import Callable

from gateway.errors import ForbiddenHost
from gateway.settings import Settings, is_loopback


def host_check(settings: Settings) -> Callable[[str], None] | None:
    """A check of the Host header, or None where any will do.

    It raises ForbiddenHost.
    """
    if settings.allowed_hosts:
        allowed = frozenset(name.lower() for name in settings.allowed_hosts)
        return lambda header: _require(_name(header) in allowed, header)
    if settings.api_keys_file or not is_loopback(settings.host):
        return None
    return lambda header: _require(is_loopback(_name(header)), header)


def _require(allowed: bool, header: str) -> None:
    if not allowed:
        raise ForbiddenHost(
            f"the gateway does not answer to the name {header[:253]!r}; use localhost, or list the name in "
            "GATEWAY_ALLOWED_HOSTS"
        )


def _name(header: str) -> str:
    """The host of ``host``, ``host:port`` or ``[v6]:port``."""
    name = header.partition("]")[0].removeprefix("[") if header.startswith("[") else header.partition(":")[0]
    return name.rstrip(".").lower()
