"""GATEWAY_DEFAULT_LABEL: requests that name no version go to the one with this label."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from gateway.api.targets import Target
from gateway.errors import ModelUnavailable
from gateway.serving_client.calls import UnknownLabel

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# How long a model without the label is not tried by it again: not with every request, but soon after it is set.
_RETRY_AFTER_S = 1.0


class DefaultLabel:
    """Pins the version that requests get by default, so that a newer one can be loaded as well; None pins nothing.

    Only serving knows which labels are in force, so the label itself is sent to it. For a model without the label the
    newest version answers, except while serving starts: it answers as soon as one version has loaded, and requests that
    the label keeps from the newest version should not get it only because it was loaded first.
    """

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._retry_at: dict[str, float] = {}

    def apply(self, target: Target, call: Callable[[Target], Awaitable[Result]]) -> Awaitable[Result]:
        """The result of ``call`` for ``target``, with the default label where it names no version.

        Raises:
            ModelUnavailable: the version with the label is still loading.
            what ``call`` raises, except UnknownLabel for the default label.
        """
        if self._label is None or target.is_pinned or time.monotonic() < self._retry_at.get(target.model, 0):
            return call(target)
        if target.model in self._retry_at:  # one request tries the label; the others do not wait
            self._retry_at[target.model] = time.monotonic() + _RETRY_AFTER_S
        return self._apply(target, call)

    async def _apply(self, target: Target, call: Callable[[Target], Awaitable[Result]]) -> Result:
        try:
            result = await call(replace(target, label=self._label))
        except UnknownLabel as error:
            is_new = target.model not in self._retry_at
            if is_new and error.may_be_loading:
                raise ModelUnavailable(
                    f"the version of model {target.model!r} labelled {self._label!r} is still loading; try again in a "
                    "moment",
                    model=target.model,
                    label=self._label,
                ) from None
            if is_new:
                _log.warning("GATEWAY_DEFAULT_LABEL: %s; until then its newest version answers", error.message)
            self._retry_at[target.model] = time.monotonic() + _RETRY_AFTER_S
            return await call(target)
        self._retry_at.pop(target.model, None)
        return result
