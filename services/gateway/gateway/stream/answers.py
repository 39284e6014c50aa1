"""The frames of a stream that are being worked on, and their replies, in the order in which the frames came."""

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from gateway.errors import GatewayError, ImageTooLarge, error_body
from gateway.flow.deadline import Deadline
from gateway.flow.timings import Timings
from gateway.flow.tracing import span
from gateway.imaging import images
from gateway.imaging.headers import ImageHeader
from gateway.request.deps import AppState
from gateway.results import outputs
from gateway.segmentation import Result
from gateway.stream import wire
from gateway.stream.closing import GONE
from gateway.stream.dialogue import Dialogue
from gateway.stream.slot import NewestFrame
from gateway.stream.turns import Pace, Turn
from gateway.stream.wire import Frame

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Done:
    """What is left of a frame once it was worked on: its reply may wait for long, and the frame itself has gone."""

    echo: bytes
    received_at: float
    timings: Timings
    result: Result | None
    fault: dict[str, Any] | None = None


class Answers:
    """At most one frame more than serving works on at once is begun and not answered yet; each has its turn."""

    def __init__(self, websocket: WebSocket, state: AppState, waiting: NewestFrame, dialogue: Dialogue) -> None:
        self._websocket = websocket
        self._state = state
        self._waiting = waiting
        self._dialogue = dialogue
        self._pace = Pace()
        self._begun: dict[asyncio.Task[None], Turn] = {}

    async def has_room(self) -> None:
        """Wait until one more may be begun."""
        while len(self._begun) > self._state.streams.turns.at_once:
            await asyncio.wait(self._begun, return_when=asyncio.FIRST_COMPLETED)

    async def begin(self) -> None:
        """Begin with the newest frame when it is this stream's turn, and return when it is another's."""
        turn = Turn(self._state.streams.turns, self._pace)
        before = next(reversed(self._begun), None)
        task = asyncio.create_task(self._answer(turn, before))
        self._begun[task] = turn
        task.add_done_callback(self._ended)
        await turn.is_over.wait()

    async def settle(self) -> None:
        """Wait until every frame begun has been answered."""
        if self._begun:
            await asyncio.wait(self._begun)

    async def abandon(self) -> None:
        """Give up all but what serving has begun: that goes on, and so do its slot and its turn."""
        for task, turn in self._begun.items():
            if not turn.is_inferring:
                task.cancel()
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._begun[task]
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, GONE):
            _log.error("a frame could not be answered", exc_info=error)

    async def _answer(self, turn: Turn, before: asyncio.Task[None] | None) -> None:
        """Work on one frame, and send its reply after the one before."""
        done = await self._work(turn)
        if before is not None:
            await asyncio.wait([before])
        counts, metrics, dropped = self._waiting.counts, self._state.metrics, self._waiting.dropped_since()
        if done.result is None:
            assert done.fault
            payload = json.dumps({"error": done.fault}).encode()
            await self._websocket.send_bytes(wire.reply(wire.ERROR, done.echo, done.timings, dropped, 0, 0, payload))
            counts.failed += 1
            metrics.frames.labels("failed").inc()
            metrics.errors.labels(done.fault["code"]).inc()
            return
        await self._dialogue.announce(done.result.served)
        encoded = done.result.encoded
        kind: wire.ReplyKind = wire.MASK if encoded.media_type == "application/zlib" else wire.OVERLAY
        await self._websocket.send_bytes(
            wire.reply(kind, done.echo, done.timings, dropped, encoded.width, encoded.height, encoded.body)
        )
        counts.answered += 1
        metrics.frames.labels("answered").inc()
        metrics.frame_seconds.observe(time.perf_counter() - done.received_at)

    async def _work(self, turn: Turn) -> _Done:
        """Take the newest frame in a slot, and have it segmented there."""
        timings, settings = Timings(), self._state.settings
        result: Result | None = None
        fault: dict[str, Any] | None = None
        async with turn, AsyncExitStack() as held:
            most = min(settings.max_frame_pixels, settings.max_pixels)
            slot = await held.enter_async_context(self._state.admission.slot(most, "frames"))
            frame = self._waiting.take()
            timings.seconds["queue"] = time.perf_counter() - frame.received_at
            deadline = Deadline(settings.deadline_ms)
            try:
                with span("frame"):
                    async with deadline.enforced():
                        with timings.measure("decode"):
                            data, header = await self._state.codecs.run(_opened, frame, most)
                        slot.keep(header.width * header.height)
                        result = await self._segment(data, header, turn, deadline, timings)
            except GatewayError as error:
                fault = error_body(error)
            except Exception:
                _log.exception("a frame failed")
                fault = error_body(GatewayError("an error of the gateway's own; its log has it"))
        return _Done(frame.echo, frame.received_at, timings, result, fault)

    async def _segment(
        self, data: bytes, header: ImageHeader, turn: Turn, deadline: Deadline, timings: Timings
    ) -> Result:
        target, canary = self._dialogue.targets
        return await self._state.segmenter.work(
            data, header, target, self._dialogue.parameters, deadline, timings, turn, canary, outputs.encode_frame
        )


def _opened(frame: Frame, max_pixels: int) -> tuple[bytes, ImageHeader]:
    """The frame's image, still encoded, and its header.

    Raises:
        GatewayError: this is no frame, or of no image that may be decoded.
    """
    data = frame.image()
    header = images.check_size(data, max_pixels)
    if max(header.width, header.height) > wire.LONGEST_SIDE:
        raise ImageTooLarge(
            f"the image is {header.width}x{header.height}; a frame has at most {wire.LONGEST_SIDE} pixels a side"
        )
    return data, header
