"""One image through the gateway: queue, decode, infer, encode."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import contract
from gateway.api.parameters import SegmentParameters
from gateway.api.targets import Target
from gateway.errors import InvalidParameter, ModelUnavailable, Overloaded, UnknownVersion
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.flow.disconnects import Asker, Caller
from gateway.flow.timings import Timings
from gateway.imaging import images
from gateway.imaging.headers import ImageHeader
from gateway.imaging.images import Image
from gateway.metrics import Metrics
from gateway.results import outputs
from gateway.results.outputs import Encoded
from gateway.rollout.shadow import Shadow
from gateway.serving_client.client import ServingClient
from gateway.serving_client.replies import Prediction, ServedModel

Encode = Callable[[Image, Prediction, SegmentParameters], Encoded]


@dataclass(frozen=True)
class Result:
    """The reply's body and the version that made it."""

    encoded: Encoded
    served: ServedModel


class Segmenter:
    """Joins the pure functions to serving, the codec threads and the admission limit."""

    def __init__(
        self,
        serving: ServingClient,
        codecs: CodecPool,
        admission: Admission,
        metrics: Metrics,
        shadow: Shadow,
        max_pixels: int,
    ) -> None:
        self._serving = serving
        self._codecs = codecs
        self._admission = admission
        self._metrics = metrics
        self._shadow = shadow
        self._max_pixels = max_pixels

    async def segment(
        self,
        data: bytes,
        target: Target,
        parameters: SegmentParameters,
        deadline: Deadline,
        timings: Timings,
        caller: Caller,
        canary: Target | None = None,
    ) -> Result:
        """Segment one encoded image and encode the answer.

        ``canary`` answers in ``target``'s place, unless it is not loaded or lacks what is asked for, a class for
        instance: its caller did not choose it.

        Raises:
            GatewayError: any of the image, parameter, serving and deadline errors.
            ClientGone: the caller hung up before inference began, or before its mask was encoded.
        """
        async with deadline.enforced(), AsyncExitStack() as held:
            with timings.measure("decode"):
                header = await self._codecs.run(images.check_size, data, self._max_pixels)
            with timings.measure("queue"):
                try:
                    # Half the time is for the work: who would be answered too late is told so while it can still be.
                    async with caller.waits(), asyncio.timeout(deadline.remaining_s() / 2):
                        await held.enter_async_context(self._admission.slot(header.width * header.height))
                except TimeoutError:
                    raise Overloaded(
                        "too many images are before this one for an answer in time; try again in a moment",
                        deadline_ms=deadline.milliseconds,
                    ) from None
            return await self.work(data, header, target, parameters, deadline, timings, caller, canary, outputs.encode)

    async def work(
        self,
        data: bytes,
        header: ImageHeader,
        target: Target,
        parameters: SegmentParameters,
        deadline: Deadline,
        timings: Timings,
        asker: Asker,
        canary: Target | None,
        encode: Encode,
    ) -> Result:
        """The same in a slot that is held, within a deadline that is enforced.

        Raises:
            GatewayError: any of the image, parameter, serving and deadline errors, and what ``asker`` raises.
        """
        with timings.measure("decode"):
            photo = await self._codecs.run(images.decode, data, header)

        async def prepare(card: contract.ModelCard) -> Image:
            outputs.check(photo, card, parameters)
            with timings.measure("decode"):
                return await self._codecs.run(images.resize, photo, card.input_height, card.input_width)

        with timings.measure("infer"):
            ask = partial(
                self._serving.segment,
                prepare=prepare,
                deadline=deadline,
                signature=parameters.signature,
                gate=partial(asker.inference, timings),
            )
            try:
                prediction = await ask(canary or target)
            except (UnknownVersion, ModelUnavailable, InvalidParameter):
                if canary is None:
                    raise
                self._metrics.canary_absent.inc()
                canary, prediction = None, await ask(target)
        with timings.measure("encode"):
            encoded = await self._codecs.run(encode, photo, prediction, parameters)
        self._metrics.segmented(prediction.served, prediction.mask, timings)
        if canary is None:
            self._shadow.offer(photo, target, prediction)
        return Result(encoded, prediction.served)
