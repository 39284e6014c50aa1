"""Which pages may open a stream: browsers ask nobody before a page connects a WebSocket to another site.

They say in the Origin header whose page it is, and pages cannot change that (cross-site WebSocket hijacking, RFC 6455
section 10.2). Programs send none.
"""

from collections.abc import Collection

from starlette.datastructures import Headers

from gateway.errors import ForbiddenOrigin


def check_origin(headers: Headers, allowed: Collection[str]) -> None:
    """Return for the gateway's own page, for an allowed origin, and where there is none.

    Raises:
        ForbiddenOrigin: another site's page.
    """
    origin = headers.get("origin")
    if origin is None or origin in allowed or origin.partition("://")[2] == headers.get("host"):
        return
    raise ForbiddenOrigin(
        f"pages of {origin[:253]!r} may not open a stream; list it in GATEWAY_CORS_ORIGINS if they are meant to"
    )
