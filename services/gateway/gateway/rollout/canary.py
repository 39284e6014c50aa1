"""GATEWAY_CANARY: some callers are answered by another version, always the same ones."""

import hashlib

from starlette.requests import HTTPConnection

from gateway.access.control import Visitor
from gateway.api.targets import Target, TrafficSplit
from gateway.rollout.catalog import Catalog

SESSION_ID = "X-Session-Id"


class Canary:
    """Chooses who is answered by the share's target: of those who leave the choice to the gateway, a stable part."""

    def __init__(self, share: TrafficSplit | None, catalog: Catalog) -> None:
        self._share = share
        self._catalog = catalog

    def choose(self, request: HTTPConnection, asked: Target, *, model_named: bool) -> Target | None:
        """The canary for this caller, or None.

        Only the default model has one. Who pins a version or a label gets it, and who names the model is never
        answered by another model.

        Args:
            request: who asks: its session (``X-Session-Id``), else its API key, else its address.
            asked: what would answer.
            model_named: whether the caller named the model.
        """
        if self._share is None or asked.is_pinned or not self._catalog.is_default(asked.model):
            return None
        if model_named and self._share.target.model != asked.model:
            return None
        return self._share.target if _position(self._share.target, _identity(request)) < self._share.fraction else None


def _identity(request: HTTPConnection) -> str:
    visitor: Visitor | None = getattr(request.state, "visitor", None)  # a stream's, whose key may come late
    key: str | None = visitor.name if visitor else getattr(request.state, "caller", None)
    address = request.client.host if request.client else ""
    return request.headers.get(SESSION_ID) or key or address


def _position(target: Target, identity: str) -> float:
    """Where in 0 to 1 a caller stands: the same in every gateway and after every restart, another for each canary."""
    digest = hashlib.sha256(f"{target}\n{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
