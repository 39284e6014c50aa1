"""Which host names the gateway answers to, and pages of which origins may open a stream.

Hosts: DNS rebinding makes a web page's own host name resolve to 127.0.0.1, and the browser then treats the gateway as
the page's own server. The Host header still holds the name that the browser believes it is talking to.

Origins: a browser lets any page open a WebSocket to any site (cross-site WebSocket hijacking, RFC 6455, section 10.2).
The Origin header names the page's site, and a page cannot change it. Programs send none.
"""

from collections.abc import Callable, Collection

from starlette.datastructures import Headers

from gateway.errors import ForbiddenHost, ForbiddenOrigin
from gateway.settings import Settings, is_loopback


def host_check(settings: Settings) -> Callable[[str], None] | None:
    """A check of the Host header that raises ForbiddenHost; None where every name is allowed."""
    if settings.allowed_hosts:
        allowed = frozenset(name.lower() for name in settings.allowed_hosts)
        return lambda header: _require(_name(header) in allowed, header)
    if settings.api_keys_file or not is_loopback(settings.host):
        return None
    return lambda header: _require(is_loopback(_name(header)), header)


def check_origin(headers: Headers, allowed: Collection[str]) -> None:
    """Accept the gateway's own page, the allowed origins, and programs, which send no Origin.

    Raises:
        ForbiddenOrigin: another site's page.
    """
    origin = headers.get("origin")
    if origin is None or origin in allowed or origin.partition("://")[2] == headers.get("host"):
        return
    raise ForbiddenOrigin(
        f"pages of {origin[:253]!r} may not open a stream; to allow them, list the origin in GATEWAY_CORS_ORIGINS"
    )


def _require(is_allowed: bool, header: str) -> None:
    if not is_allowed:
        raise ForbiddenHost(
            f"the gateway does not answer to the name {header[:253]!r}; use localhost, or list the name in "
            "GATEWAY_ALLOWED_HOSTS"
        )


def _name(header: str) -> str:
    """The host of ``host``, ``host:port`` or ``[v6]:port``."""
    name = header.partition("]")[0].removeprefix("[") if header.startswith("[") else header.partition(":")[0]
    return name.rstrip(".").lower()
