"""The path of one image through the gateway. This is ``POST /segment``, from top to bottom; files are in ``gateway/``.

 1. transport/http_protocol.py      reads the headers: too slow is 408, too many connections 503.
 2. request/middleware.py           gives the request its id, its trace and its RequestContext, checks the Host
                                    header, and later counts it, logs it and adds the safe headers to the reply.
 3. request/deps.py                 requires an API key (401, 403) and counts against the rate (429), both by
                                    access/control.py; parses the query string into api/parameters.py (422).
 4. routes/segment.py               calls everything below.
 5. rollout/router.py               chooses the model and version, and a canary for some clients: a Route (404).
 6. flow/admission.py               admits the request, or refuses it when too many are waiting (429).
 7. request/uploads.py              reads the body, never more than the limit (400, 408, 413).
    flow/deadline.py                starts the deadline: a request not done in time is a 504.
    flow/disconnects.py             cancels the wait for a slot once the client disconnects.

Then ``Segmenter.segment``, below. What takes the processor's time runs in flow/codecs.py's threads:

 8. imaging/headers.py              reads format and size from the first bytes; too many pixels are 413, another
                                    format 415. Nothing has been decoded.
 9. flow/admission.py               waits for a slot, which bounds the pixels in memory; at most half of the deadline.
10. imaging/images.py               decodes the image to RGB and rotates it by its EXIF orientation (400).
11. serving_client/client.py        looks up the model's card, which it fetches once per version, and calls back
                                    ``prepare``: results/outputs.py checks that the model has what is requested (422),
                                    imaging/images.py resizes to the model's input size. Then one gRPC call, through
                                    signatures.py, wire.py, calls.py and replicas.py of that folder, which turns its
                                    failures into 502, 503 and 504 and the reply into a Prediction: a mask.
    rollout/router.py               turns to the target if the canary is not loaded or lacks a class.
12. results/outputs.py              keeps classes, scales the mask to the photo, and encodes it: an indexed PNG,
                                    colours, an overlay, or JSON.
13. metrics.py                      counts the image by model and version, and its stages' seconds (flow/timings.py).
14. rollout/shadow.py               may compare the image and its reply with the shadow's, without delaying it.

``POST /segment/batch`` runs steps 8 to 14 for each of its images, and a stream 10 to 14 for each frame
(stream/frames.py), which has waited for its slot by other rules (stream/turns.py).

An error anywhere is a GatewayError (errors.py); request/error_replies.py turns it into the reply.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import contract
from gateway.api.parameters import SegmentParameters
from gateway.api.targets import Target
from gateway.errors import Overloaded
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.flow.disconnects import ClientConnection, InferenceGate
from gateway.flow.timings import Timings
from gateway.imaging import images
from gateway.imaging.headers import ImageHeader
from gateway.imaging.images import Image
from gateway.metrics import Metrics
from gateway.results import outputs
from gateway.results.outputs import Encoded
from gateway.rollout.router import Route
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
        route: Route,
        parameters: SegmentParameters,
        deadline: Deadline,
        timings: Timings,
        connection: ClientConnection,
    ) -> Result:
        """Segment one encoded image and encode the answer.

        Raises:
            GatewayError: any of the image, parameter, serving and deadline errors.
            ClientGone: the client disconnected before inference began, or before its mask was encoded.
        """
        async with deadline.enforced(), AsyncExitStack() as held:
            with timings.measure("decode"):
                header = await self._codecs.run(images.check_size, data, self._max_pixels)
            with timings.measure("queue"):
                try:
                    # Half of the time is for the work: a request that would miss its deadline is refused early.
                    async with connection.cancels_wait(), asyncio.timeout(deadline.remaining_s() / 2):
                        await held.enter_async_context(self._admission.slot(header.width * header.height))
                except TimeoutError:
                    raise Overloaded(
                        "too many images are queued for this one to be answered in time; try again in a moment",
                        deadline_ms=deadline.milliseconds,
                    ) from None
            return await self.segment_in_slot(
                data, header, route, parameters, deadline, timings, connection, outputs.encode
            )

    async def segment_in_slot(
        self,
        data: bytes,
        header: ImageHeader,
        route: Route,
        parameters: SegmentParameters,
        deadline: Deadline,
        timings: Timings,
        gate: InferenceGate,
        encode: Encode,
    ) -> Result:
        """:meth:`segment` for a caller that holds a slot, enforces the deadline and has read the header.

        Raises:
            GatewayError: any of the image, parameter, serving and deadline errors, and what ``gate`` raises.
        """
        with timings.measure("decode"):
            photo = await self._codecs.run(images.decode, data, header)

        def prepare(card: contract.ModelCard) -> Image:
            outputs.check(photo, card, parameters)
            with timings.measure("decode"):
                return images.resize(photo, card.input_height, card.input_width)

        async def infer(target: Target) -> tuple[Prediction, Target]:
            prediction = await self._serving.segment(
                target, prepare, deadline, signature=parameters.signature, gate=partial(gate.inference, timings)
            )
            return prediction, target

        with timings.measure("infer"):
            prediction, target = await route.call(infer)
        with timings.measure("encode"):
            encoded = await self._codecs.run(encode, photo, prediction, parameters)
        self._metrics.count_image(prediction.served, prediction.mask, timings)
        if target is not route.canary:
            self._shadow.offer(photo, target, prediction)
            if route.canary is not None:
                self._metrics.canary_absent.inc()
        return Result(encoded, prediction.served)
