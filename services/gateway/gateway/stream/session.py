"""One stream from its first message to its last."""

import asyncio
import json
import logging
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from gateway import images, outputs
from gateway.access import Visitor
from gateway.deadline import Deadline
from gateway.deps import AppState
from gateway.errors import (
    GatewayError,
    ImageTooLarge,
    InvalidParameter,
    ModelUnavailable,
    UnknownVersion,
    error_body,
)
from gateway.parameters import SegmentParameters
from gateway.schemas import ErrorBody
from gateway.segmentation import Result
from gateway.serving_replies import ServedModel
from gateway.stream import control, wire
from gateway.stream.slot import NewestFrame
from gateway.stream.streams import SHUTTING_DOWN
from gateway.stream.turns import Pace, Turn
from gateway.stream.wire import Frame
from gateway.targets import Target
from gateway.timings import Timings
from gateway.tracing import span

_log = logging.getLogger(__name__)

# Text messages that wait for their answers; nobody has more to say at once.
_MAX_CONTROLS = 16

# What sending raises once the client has gone: the first time, and later.
_GONE = (WebSocketDisconnect, WebSocketDisconnected)

# What a close frame can hold (RFC 6455, 5.5).
_MAX_REASON_BYTES = 123


class Closing(Exception):  # noqa: N818 - as it reads after `raise`
    """The stream ends: the close code, the reason, and whether it was the client, or the network, that ended it."""

    def __init__(self, code: int, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self.is_gone = is_gone


@dataclass(frozen=True)
class _Shutdown:
    """Among the control messages: the gateway's own wish to end."""


class Session:
    """Reads without pause into a slot of one frame, and works on the newest when it is this stream's turn.

    Memory is bounded: one frame waits, at most one more than serving works on at once are being worked on or sent, and
    who does not read what is sent stops the work, not the reading.
    """

    def __init__(self, websocket: WebSocket, state: AppState, visitor: Visitor) -> None:
        self.slot = NewestFrame(state.metrics.frames.labels("dropped").inc)
        self._websocket = websocket
        self._state = state
        self._visitor = visitor
        self._configured = control.Configure(type="configure")
        self._told: tuple[str, int] | None = None
        self._controls: deque[control.Configure | control.End | _Shutdown | GatewayError] = deque()
        self._has_work = asyncio.Event()
        self._pace = Pace()
        self._working: dict[asyncio.Task[None], Turn] = {}
        self._is_ending = False

    @property
    def answered_by(self) -> tuple[str, int] | None:
        """Model and version of the last reply."""
        return self._told

    async def run(self) -> Closing:
        """Serve until the stream ends; whatever was not answered then has been dropped. Says how it ended."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._work())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return _how(next(task for task in tasks if task in done))
        finally:
            await self._abandon(tasks)

    def end(self) -> None:
        """The gateway shuts down."""
        self._controls.append(_Shutdown())
        self._has_work.set()

    async def _abandon(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Give up all but what serving has begun: that goes on, and so do its slot and its turn."""
        idle = [task for task, turn in self._working.items() if not turn.is_inferring]
        for task in (*tasks, *idle):
            task.cancel()
        await asyncio.gather(*tasks, *self._working, return_exceptions=True)
        counts = self.slot.counts
        lost = counts.received - counts.answered - counts.failed - counts.dropped
        counts.dropped += lost
        self._state.metrics.frames.labels("dropped").inc(lost)

    async def _read(self) -> None:
        """Take in whatever comes, for ever: uvicorn reads from the network only while somebody receives."""
        settings = self._state.settings
        known_by = asyncio.get_running_loop().time() + settings.header_timeout_ms / 1000
        while True:
            is_known = self._visitor.is_known
            patience_ms = settings.stream_idle_timeout_ms if is_known else settings.header_timeout_ms
            try:
                # Whatever a stranger says does not buy more time.
                async with asyncio.timeout(patience_ms / 1000) if is_known else asyncio.timeout_at(known_by):
                    message = await self._websocket.receive()
            except TimeoutError:
                what = "no frame" if is_known else "no configure message with a valid api_key"
                raise Closing(1008, f"{what} came for {patience_ms} ms; open a new stream when there is one") from None
            if message["type"] == "websocket.disconnect":
                raise Closing(message["code"], message.get("reason") or "", is_gone=True)
            await asyncio.sleep(0)  # thousands of messages may be there at once; others have a turn between them
            if self._is_ending:
                continue
            if (frame := message.get("bytes")) is not None:
                if not is_known:
                    raise Closing(1008, "an API key is needed before the first frame; send it in configure, as api_key")
                self._state.metrics.frames_received.inc()
                self.slot.put(Frame(frame))
            else:
                self._listen(message["text"])
            self._has_work.set()

    def _listen(self, text: str) -> None:
        if len(self._controls) >= _MAX_CONTROLS:
            raise Closing(1008, f"more than {_MAX_CONTROLS} text messages wait; wait for the answer to each")
        if len(text) > control.MAX_TEXT_CHARACTERS:
            raise Closing(1009, f"a text message has more than {control.MAX_TEXT_CHARACTERS} characters")
        try:
            said = control.read(text)
            self._is_ending = isinstance(said, control.End)
            if isinstance(said, control.Configure) and not self._visitor.is_known:
                self._visitor.present(said.api_key)  # at once, as frames may follow
        except GatewayError as error:
            self._controls.append(error)
        else:
            self._controls.append(said)

    async def _work(self) -> None:
        """Answer control messages, each after the frames it does not concern, and start on frames."""
        while True:
            await self._has_work.wait()
            if self._controls and not (self._is_ending and self.slot.is_filled and self._visitor.is_known):
                await self._settle()
                await self._follow(self._controls.popleft())
            elif self.slot.is_filled:
                await self._start()
            else:
                self._has_work.clear()

    async def _settle(self) -> None:
        """Wait until every frame begun has been answered."""
        if self._working:
            await asyncio.wait(self._working)

    async def _follow(self, said: control.Configure | control.End | _Shutdown | GatewayError) -> None:
        match said:
            case control.Configure():
                await self._configure(said)
            case GatewayError():
                await self._complain(said)
            case control.End() | _Shutdown():
                self.slot.drop()
                await self._say(self.slot.counts)
                raise Closing(1000, "") if isinstance(said, control.End) else Closing(1012, SHUTTING_DOWN)

    async def _configure(self, wanted: control.Configure) -> None:
        """Find out who will answer, and go over to it if it can do what is asked."""
        deadline = Deadline(self._state.settings.deadline_ms)
        try:
            parameters = wanted.parameters()
            target, canary = self._targets(wanted)
            served = await self._describe(target, canary, parameters, deadline)
        except GatewayError as error:
            await self._complain(error)
            return
        self._configured = wanted
        await self._tell(served)

    async def _describe(
        self, target: Target, canary: Target | None, parameters: SegmentParameters, deadline: Deadline
    ) -> ServedModel:
        """Who answers: as for images the canary only where it is loaded and has what is asked for."""

        async def able(candidate: Target) -> ServedModel:
            served = await self._state.serving.describe(candidate, deadline)
            outputs.check_classes(served.card, parameters)
            return served

        if canary is not None:
            with suppress(UnknownVersion, ModelUnavailable, InvalidParameter):
                return await able(canary)
        return await able(target)

    def _targets(self, wanted: control.Configure) -> tuple[Target, Target | None]:
        target = Target(self._state.catalog.resolve(wanted.model), wanted.version, wanted.label)
        named = wanted.model is not None
        return target, self._state.canary.choose(self._websocket, target, model_named=named)

    async def _start(self) -> None:
        """Begin with the newest frame when it is this stream's turn, and return when it is another's."""
        while len(self._working) > self._state.streams.turns.at_once:
            await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
        try:
            await self._visitor.within_rate()
        except GatewayError as error:
            raise Closing(1008, error.message) from None
        turn = Turn(self._state.streams.turns, self._pace)
        before = next(reversed(self._working), None)
        task = asyncio.create_task(self._answer(turn, before))
        self._working[task] = turn
        task.add_done_callback(self._done)
        await turn.is_over.wait()

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._working[task]
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, _GONE):
            _log.error("a frame could not be answered", exc_info=error)

    async def _answer(self, turn: Turn, before: asyncio.Task[None] | None) -> None:
        """Work on one frame, and send its reply after the one before."""
        timings = Timings()
        async with turn, AsyncExitStack() as held:
            settings = self._state.settings
            most = min(settings.max_frame_pixels, settings.max_pixels)
            slot = await held.enter_async_context(self._state.admission.slot(most, "frames"))
            frame = self.slot.take()
            timings.seconds["queue"] = time.perf_counter() - frame.received_at
            deadline = Deadline(settings.deadline_ms)
            try:
                with span("frame"):
                    async with deadline.enforced():
                        with timings.measure("decode"):
                            data, pixels = await self._state.codecs.run(_opened, frame, most)
                        slot.keep(pixels)
                        result = await self._segment(data, turn, deadline, timings)
            except GatewayError as error:
                result, fault = None, error
            except Exception:
                _log.exception("a frame failed")
                result, fault = None, GatewayError("an error of the gateway's own; its log has it")
        if before is not None:
            await asyncio.wait([before])
        counts, metrics, dropped = self.slot.counts, self._state.metrics, self.slot.dropped_since()
        if result is None:
            payload = json.dumps({"error": error_body(fault)}).encode()
            await self._websocket.send_bytes(wire.reply(wire.ERROR, frame, timings, dropped, 0, 0, payload))
            counts.failed += 1
            metrics.frames.labels("failed").inc()
            metrics.errors.labels(fault.code).inc()
            return
        if self._told != (result.served.name, result.served.version):
            await self._tell(result.served)
        encoded = result.encoded
        kind: wire.ReplyKind = wire.MASK if encoded.media_type == "application/zlib" else wire.OVERLAY
        await self._websocket.send_bytes(
            wire.reply(kind, frame, timings, dropped, encoded.width, encoded.height, encoded.body)
        )
        counts.answered += 1
        metrics.frames.labels("answered").inc()
        metrics.frame_seconds.observe(time.perf_counter() - frame.received_at)

    async def _segment(self, data: bytes, turn: Turn, deadline: Deadline, timings: Timings) -> Result:
        target, canary = self._targets(self._configured)
        return await self._state.segmenter.work(
            data, target, self._configured.parameters(), deadline, timings, turn, canary, outputs.encode_frame
        )

    async def _tell(self, served: ServedModel) -> None:
        self._told = served.name, served.version
        await self._say(control.Configured.by(served, self._configured.parameters()))

    async def _complain(self, error: GatewayError) -> None:
        self._state.metrics.errors.labels(error.code).inc()
        await self._say(control.ControlError(error=ErrorBody.model_validate(error_body(error))))

    async def _say(self, message: BaseModel) -> None:
        await self._websocket.send_text(message.model_dump_json())


def _opened(frame: Frame, max_pixels: int) -> tuple[bytes, int]:
    """The frame's image, still encoded, and its size in pixels.

    Raises:
        GatewayError: this is no frame, or of no image that may be decoded.
    """
    data = frame.image()
    header = images.check_size(data, max_pixels)
    if max(header.width, header.height) > wire.LONGEST_SIDE:
        raise ImageTooLarge(
            f"the image is {header.width}x{header.height}; a frame has at most {wire.LONGEST_SIDE} pixels a side"
        )
    return data, header.width * header.height


def _how(ended: asyncio.Task[None]) -> Closing:
    """Why a task of the stream's came to its end."""
    error = ended.exception()
    if isinstance(error, Closing):
        return error
    if isinstance(error, _GONE):
        return Closing(1006, "", is_gone=True)
    _log.error("a stream failed", exc_info=error)
    return Closing(1011, "an error of the gateway's own; its log has it")
