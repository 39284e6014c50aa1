"""GATEWAY_SHADOW: some images also go to another version, and its masks are held against those that were answered."""

import asyncio
import logging
import random
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
from gateway.metrics import Metrics
from gateway.rollout.agreement import Agreements, overlap
from gateway.rollout.catalog import Catalog
from gateway.serving_client.client import ServingClient
from gateway.serving_client.replies import Prediction

_log = logging.getLogger(__name__)


@dataclass
class Outcomes:
    """What became of the images that were to be compared; ``last_error`` says why the last failed."""

    compared: int = 0
    dropped: int = 0
    failed: int = 0
    last_error: str | None = None


class Shadow:
    """Never in a caller's way: one image at a time, only while a slot is free, and after the caller has the reply.

    Closed by :meth:`close`.
    """

    def __init__(
        self,
        share: TrafficSplit | None,
        catalog: Catalog,
        serving: ServingClient,
        codecs: CodecPool,
        admission: Admission,
        metrics: Metrics,
        deadline_ms: int,
    ) -> None:
        self.share = share
        self.agreements = Agreements()
        self.outcomes = Outcomes()
        self._catalog = catalog
        self._serving = serving
        self._codecs = codecs
        self._admission = admission
        self._metrics = metrics
        self._deadline_ms = deadline_ms
        self._task: asyncio.Task[None] | None = None

    def offer(self, photo: Image, asked: Target, answer: Prediction) -> None:
        """Compare this answer with the shadow's, if it falls into the share and there is time.

        Only what the default model answered, with no version pinned, is looked at.
        """
        if self.share is None or asked.is_pinned or not self._catalog.is_default(asked.model):
            return
        if random.random() >= self.share.fraction:  # noqa: S311
            return
        if (self._task is not None and not self._task.done()) or not self._admission.is_idle:
            self.outcomes.dropped += 1
            self._metrics.shadowed("dropped")
            return
        self._task = asyncio.create_task(self._compare(self.share.target, photo, answer))

    async def close(self) -> None:
        """Give up on what is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _compare(self, target: Target, photo: Image, answer: Prediction) -> None:
        async def prepare(card: contract.ModelCard) -> Image:
            return await self._codecs.run(images.resize, photo, card.input_height, card.input_width)

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
            self._metrics.shadowed("compared")

    def _fail(self, reason: str) -> None:
        if reason != self.outcomes.last_error:  # once for each reason, not once for each image
            _log.warning("the shadow %s failed: %s", self.share and self.share.target, reason)
        self.outcomes.last_error = reason
        self.outcomes.failed += 1
        self._metrics.shadowed("failed")
