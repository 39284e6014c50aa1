"""GATEWAY_SHADOW: a fraction of the images also goes to another version, whose masks are compared with the answers."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import contract
from gateway.api.targets import Target, TrafficSplit
from gateway.errors import GatewayError
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.imaging import images
from gateway.imaging.images import Image
from gateway.rollout.agreement import Agreements, overlap
from gateway.rollout.catalog import Catalog
from gateway.serving_client.client import ServingClient
from gateway.serving_client.replies import Prediction

_log = logging.getLogger(__name__)


@dataclass
class Outcomes:
    """What became of the images chosen for comparison; ``last_error`` is the reason of the last failure."""

    compared: int = 0
    dropped: int = 0
    failed: int = 0
    last_error: str | None = None


class Shadow:
    """Delays no request: compares one image at a time, only while a slot is free, and after the reply is made.

    Closed by :meth:`close`.

    Args:
        split: the shadow, and the fraction of images it gets; None: no shadow.
        count_outcome: called with ``compared``, ``dropped`` or ``failed`` for each image chosen.
    """

    def __init__(
        self,
        split: TrafficSplit | None,
        catalog: Catalog,
        serving: ServingClient,
        codecs: CodecPool,
        admission: Admission,
        count_outcome: Callable[[str], None],
        deadline_ms: int,
    ) -> None:
        self.split = split
        self.agreements = Agreements()
        self.outcomes = Outcomes()
        self._catalog = catalog
        self._serving = serving
        self._codecs = codecs
        self._admission = admission
        self._count_outcome = count_outcome
        self._deadline_ms = deadline_ms
        self._task: asyncio.Task[None] | None = None

    def offer(self, photo: Image, target: Target, answer: Prediction) -> None:
        """Compare this answer with the shadow's, if the image is chosen and a slot is free.

        Only answers of the default model to requests that pinned no version are chosen.
        """
        if self.split is None or target.is_pinned or not self._catalog.is_default(target.model):
            return
        if random.random() >= self.split.fraction:  # noqa: S311
            return
        if (self._task is not None and not self._task.done()) or not self._admission.is_idle:
            self.outcomes.dropped += 1
            self._count_outcome("dropped")
            return
        self._task = asyncio.create_task(self._compare(self.split.target, photo, answer))

    async def close(self) -> None:
        """Cancel a comparison that is running."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _compare(self, target: Target, photo: Image, answer: Prediction) -> None:
        def prepare(card: contract.ModelCard) -> Image:
            return images.resize(photo, card.input_height, card.input_width)

        try:
            other = await self._serving.segment(target, prepare, Deadline(self._deadline_ms))
            one = await self._codecs.run(overlap, answer, other)
        except GatewayError as error:
            self._fail(error.message)
        except Exception as error:
            _log.exception("the shadow %s could not be compared", target)
            self._fail(str(error))
        else:
            self.agreements.add(answer.served, other.served, one)
            self.outcomes.compared += 1
            self._count_outcome("compared")

    def _fail(self, reason: str) -> None:
        if reason != self.outcomes.last_error:  # logged once per reason, not once per image
            _log.warning("the shadow %s failed: %s", self.split and self.split.target, reason)
        self.outcomes.last_error = reason
        self.outcomes.failed += 1
        self._count_outcome("failed")
