"""What is known about one request or stream: every value that travels with it, named and typed."""

from dataclasses import dataclass
from typing import Self

from starlette.types import Scope

from gateway.access.control import Client

REQUEST_ID = "X-Request-Id"
SESSION_ID = "X-Session-Id"

_KEY = "context"


@dataclass
class RequestContext:
    """Made by :class:`gateway.request.middleware.RequestMiddleware`, and found again by :meth:`of`.

    Attributes:
        request_id: the client's X-Request-Id, or a new one; in the reply's headers and in every line of the log.
        session_id: the client's X-Session-Id, which keeps it with one version during a canary.
        client: who sends it; authenticated by then where a route needs a key.
        error_code: of the error that was replied, for metrics and the log; None: none was.
    """

    request_id: str
    session_id: str | None
    client: Client
    error_code: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """The context of the request, or stream, with this ASGI scope."""
        context: Self = scope["state"][_KEY]
        return context

    @classmethod
    def find(cls, scope: Scope) -> Self | None:
        """As :meth:`of`; None while the middleware has not seen the request."""
        context: Self | None = scope["state"].get(_KEY)
        return context

    def store_in(self, scope: Scope) -> None:
        """Have :meth:`of` find this context."""
        scope["state"][_KEY] = self

    @property
    def canary_identity(self) -> str:
        """What a canary chooses by, so that a client stays with one version: session, else key, else host."""
        return self.session_id or self.client.name or self.client.host or ""
