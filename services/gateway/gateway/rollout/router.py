"""Which model answers: the target that a request's parameters name, and GATEWAY_CANARY's where it applies.

A target without a version is settled by serving: by GATEWAY_DEFAULT_LABEL, else by the newest version that is loaded
(:mod:`gateway.serving_client.default_label`).
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.api.parameters import SegmentParameters
from gateway.api.targets import Target, TrafficSplit
from gateway.errors import InvalidParameter, ModelUnavailable, UnknownVersion
from gateway.rollout.catalog import Catalog

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Route:
    """A target, and the canary that answers in its place if it can."""

    target: Target
    canary: Target | None = None

    def call(self, model: Callable[[Target], Awaitable[_Result]]) -> Awaitable[_Result]:
        """The result of ``model`` for the canary, or else for the target.

        The target answers where the canary is not loaded or lacks what is requested, for instance a class: the client
        did not choose the canary.
        """
        return model(self.target) if self.canary is None else self._call_first(self.canary, model)

    async def _call_first(self, canary: Target, model: Callable[[Target], Awaitable[_Result]]) -> _Result:
        try:
            return await model(canary)
        except (UnknownVersion, ModelUnavailable, InvalidParameter):
            return await model(self.target)


class Router:
    """Routes /segment, /segment/batch and /stream.

    Args:
        catalog: the models there are.
        canary: the default model's clients that are answered by another version or model; None: none.
    """

    def __init__(self, catalog: Catalog, canary: TrafficSplit | None) -> None:
        self._catalog = catalog
        self._canary = canary

    def route(self, parameters: SegmentParameters, identity: str) -> Route:
        """Where images with these parameters go.

        Only the default model has a canary. A client that pins a version or a label gets that one, and one that names
        the model is never answered by another model.

        Args:
            parameters: of the request, or of the stream's configuration.
            identity: of the client; the same one always gets the same version.

        Raises:
            UnknownModel, NoModel
        """
        target = Target(self._catalog.resolve(parameters.model), parameters.version, parameters.label)
        canary = self._canary
        if canary is None or target.is_pinned or not self._catalog.is_default(target.model):
            return Route(target)
        if parameters.model is not None and canary.target.model != target.model:
            return Route(target)
        return Route(target, canary.target if _position(canary.target, identity) < canary.fraction else None)


def _position(target: Target, identity: str) -> float:
    """A client's position, 0 to 1: the same in every gateway and after every restart, but different for each canary."""
    digest = hashlib.sha256(f"{target}\n{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
