"""GATEWAY_DEFAULT_LABEL: who names no version is answered by the one that has this label."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from gateway.api.targets import Target
from gateway.errors import ModelUnavailable
from gateway.serving_client.calls import UnknownLabel

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# A model without the label is not asked by it again for so long: not with every request, and soon after it is set.
_PATIENCE_S = 1.0


class DefaultLabel:
    """Pins what everyone gets, so that a newer version can be loaded beside it; None pins nothing.

    Serving alone knows which labels are in force, so it is asked by the label itself. A model that has no such label is
    answered by its newest version. Not so while serving starts: it answers as soon as one version has loaded, and whom
    the label keeps from the newest should not meet it because that was the first.
    """

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._ask_again_at: dict[str, float] = {}

    async def settle(self, target: Target, ask: Callable[[Target], Awaitable[Answer]]) -> Answer:
        """What ``ask`` answers for ``target``, which is asked by the label where it names no version.

        Raises:
            ModelUnavailable: the version with the label is still loading.
            what ``ask`` raises, but for UnknownLabel by this label.
        """
        if self._label is None or target.is_pinned or time.monotonic() < self._ask_again_at.get(target.model, 0):
            return await ask(target)
        if target.model in self._ask_again_at:  # one finds out; the others go on as they were
            self._ask_again_at[target.model] = time.monotonic() + _PATIENCE_S
        try:
            answer = await ask(replace(target, label=self._label))
        except UnknownLabel as error:
            is_news = target.model not in self._ask_again_at
            if is_news and error.may_be_loading:
                raise ModelUnavailable(
                    f"the version of model {target.model!r} labelled {self._label!r} is still loading; try again in a "
                    "moment",
                    model=target.model,
                    label=self._label,
                ) from None
            if is_news:
                _log.warning("GATEWAY_DEFAULT_LABEL: %s; until there is one, its newest answers", error.message)
            self._ask_again_at[target.model] = time.monotonic() + _PATIENCE_S
            return await ask(target)
        self._ask_again_at.pop(target.model, None)
        return answer
