"""The frames of a stream that are in work, and their replies, in the order in which the frames were taken."""

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from gateway.errors import GatewayError, ImageTooLarge, error_body
from gateway.flow.admission import Admission
from gateway.flow.codecs import CodecPool
from gateway.flow.deadline import Deadline
from gateway.flow.timings import Timings
from gateway.flow.tracing import span
from gateway.imaging import images
from gateway.imaging.headers import ImageHeader
from gateway.metrics import Metrics
from gateway.results import outputs
from gateway.segmentation import Result, Segmenter
from gateway.stream import wire
from gateway.stream.control_channel import ControlChannel
from gateway.stream.slot import NewestFrame
from gateway.stream.streams import DISCONNECTED
from gateway.stream.turns import Pace, Turn, Turns
from gateway.stream.wire import Frame

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Finished:
    """What is kept of a frame while its reply waits to be sent, which may take long; the frame itself is freed."""

    echo: bytes
    received_at: float
    timings: Timings
    result: Result | None
    error: dict[str, Any] | None = None


class FramePipeline:
    """Works on frames ahead of their replies: at most one more than serving works on at once, each in its turn.

    Args:
        max_pixels: of one frame.
        deadline_ms: of one frame.
    """

    def __init__(
        self,
        websocket: WebSocket,
        newest: NewestFrame,
        channel: ControlChannel,
        turns: Turns,
        admission: Admission,
        codecs: CodecPool,
        segmenter: Segmenter,
        metrics: Metrics,
        max_pixels: int,
        deadline_ms: int,
    ) -> None:
        self._websocket = websocket
        self._newest = newest
        self._channel = channel
        self._turns = turns
        self._admission = admission
        self._codecs = codecs
        self._segmenter = segmenter
        self._metrics = metrics
        self._max_pixels = max_pixels
        self._deadline_ms = deadline_ms
        self._pace = Pace()
        self._started: dict[asyncio.Task[None], Turn] = {}

    async def wait_for_room(self) -> None:
        """Wait until one more frame may be started."""
        while len(self._started) > self._turns.at_once:
            await asyncio.wait(self._started, return_when=asyncio.FIRST_COMPLETED)

    async def start(self) -> None:
        """Start on the newest frame in this stream's turn, and return when the turn is over."""
        turn = Turn(self._turns, self._pace)
        previous = next(reversed(self._started), None)
        task = asyncio.create_task(self._answer(turn, previous))
        self._started[task] = turn
        task.add_done_callback(self._ended)
        await turn.is_over.wait()

    async def settle(self) -> None:
        """Wait until every frame started has been answered."""
        if self._started:
            await asyncio.wait(self._started)

    async def abandon(self) -> None:
        """Cancel all but running inferences: serving cannot be stopped, so they keep their slots and turns."""
        for task, turn in self._started.items():
            if not turn.is_inferring:
                task.cancel()
        await asyncio.gather(*self._started, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._started[task]
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, DISCONNECTED):
            _log.error("a frame could not be answered", exc_info=error)

    async def _answer(self, turn: Turn, previous: asyncio.Task[None] | None) -> None:
        """Work on one frame, and send its reply after the previous one's."""
        done = await self._work(turn)
        if previous is not None:
            await asyncio.wait([previous])
        counts, metrics, dropped = self._newest.counts, self._metrics, self._newest.take_dropped()
        if done.result is None:
            assert done.error
            payload = json.dumps({"error": done.error}).encode()
            await self._websocket.send_bytes(wire.reply(wire.ERROR, done.echo, done.timings, dropped, 0, 0, payload))
            counts.failed += 1
            metrics.frames.labels("failed").inc()
            metrics.errors.labels(done.error["code"]).inc()
            return
        await self._channel.announce(done.result.served)
        encoded = done.result.encoded
        kind: wire.ReplyKind = wire.MASK if encoded.media_type == "application/zlib" else wire.OVERLAY
        await self._websocket.send_bytes(
            wire.reply(kind, done.echo, done.timings, dropped, encoded.width, encoded.height, encoded.body)
        )
        counts.answered += 1
        metrics.frames.labels("answered").inc()
        metrics.frame_seconds.observe(time.perf_counter() - done.received_at)

    async def _work(self, turn: Turn) -> _Finished:
        """Wait for the turn and for a slot, and only then take the newest frame and segment it."""
        timings = Timings()
        result: Result | None = None
        error: dict[str, Any] | None = None
        async with turn, AsyncExitStack() as held:
            slot = await held.enter_async_context(self._admission.slot(self._max_pixels, "frames"))
            frame = self._newest.take()
            timings.seconds["queue"] = time.perf_counter() - frame.received_at
            deadline = Deadline(self._deadline_ms)
            try:
                with span("frame"):
                    async with deadline.enforced():
                        with timings.measure("decode"):
                            data, header = await self._codecs.run(_open, frame, self._max_pixels)
                        slot.keep(header.width * header.height)
                        result = await self._segmenter.segment_in_slot(
                            data,
                            header,
                            self._channel.route,
                            self._channel.parameters,
                            deadline,
                            timings,
                            turn,
                            outputs.encode_frame,
                        )
            except GatewayError as refused:
                error = error_body(refused)
            except Exception:
                _log.exception("a frame failed")
                error = error_body(GatewayError("internal error of the gateway; its log has it"))
        return _Finished(frame.echo, frame.received_at, timings, result, error)


def _open(frame: Frame, max_pixels: int) -> tuple[bytes, ImageHeader]:
    """The frame's image, still encoded, and its header.

    Raises:
        GatewayError: the message is no frame, or its image may not be decoded.
    """
    data = frame.image()
    header = images.check_size(data, max_pixels)
    if max(header.width, header.height) > wire.LONGEST_SIDE:
        raise ImageTooLarge(
            f"the image is {header.width}x{header.height}; a frame has at most {wire.LONGEST_SIDE} pixels a side"
        )
    return data, header
