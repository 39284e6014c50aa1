"""One stream from its first message to its last."""

import asyncio
from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from gateway.access.control import KEY_NEEDED, Visitor
from gateway.errors import GatewayError
from gateway.request.deps import AppState
from gateway.stream import control
from gateway.stream.answers import Answers
from gateway.stream.closing import Closing, closing_of
from gateway.stream.dialogue import Dialogue
from gateway.stream.slot import NewestFrame
from gateway.stream.streams import SHUTTING_DOWN
from gateway.stream.wire import Frame

# Text messages that wait for their answers; nobody has more to say at once.
_MAX_CONTROLS = 16


@dataclass(frozen=True)
class _Shutdown:
    """Among the control messages: the gateway's own wish to end."""


class Session:
    """Reads without pause into a slot of one frame, and works on the newest when it is this stream's turn.

    Memory is bounded: one frame waits and one is being received, those being worked on are in the slots of all
    requests, at most one reply more than serving works on at once waits to be sent, and who does not read what is sent
    stops the work, not the reading.
    """

    def __init__(self, websocket: WebSocket, state: AppState, visitor: Visitor) -> None:
        self.slot = NewestFrame(state.metrics.frames.labels("dropped").inc)
        self._websocket = websocket
        self._state = state
        self._visitor = visitor
        self._dialogue = Dialogue(websocket, state)
        self._answers = Answers(websocket, state, self.slot, self._dialogue)
        self._controls: deque[control.Configure | control.End | _Shutdown | GatewayError] = deque()
        self._has_work = asyncio.Event()
        self._is_ending = False

    @property
    def answered_by(self) -> tuple[str, int] | None:
        """Model and version of the last reply."""
        return self._dialogue.answered_by

    async def run(self) -> Closing:
        """Serve until the stream ends; whatever was not answered then has been dropped. Says how it ended."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._work())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return closing_of(next(task for task in tasks if task in done))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._answers.abandon()
            self._drop_the_rest()

    def end(self) -> None:
        """The gateway shuts down."""
        self._controls.append(_Shutdown())
        self._has_work.set()

    def _drop_the_rest(self) -> None:
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
            # At once: with a key more is let in of what comes behind it.
            if not self._is_ending:
                self._take_in(message)
            await asyncio.sleep(0)  # thousands of messages may be there at once; others have a turn between them

    def _take_in(self, message: MutableMapping[str, Any]) -> None:
        if (frame := message.get("bytes")) is None:
            self._listen(message["text"])
        elif self._visitor.is_known:
            self._state.metrics.frames_received.inc()
            self.slot.put(Frame(frame))
        else:
            raise Closing(1008, KEY_NEEDED)
        self._has_work.set()

    def _listen(self, text: str) -> None:
        if len(self._controls) >= _MAX_CONTROLS:
            raise Closing(1008, f"more than {_MAX_CONTROLS} text messages wait; wait for the answer to each")
        try:
            said = control.read(text)
            self._is_ending = isinstance(said, control.End)
            if isinstance(said, control.Configure) and not self._visitor.is_known:
                self._visitor.present(said.api_key)  # at once, as frames may follow
                self._state.streams.take_place(self)
        except GatewayError as error:
            self._controls.append(error)
        else:
            self._controls.append(said)

    async def _work(self) -> None:
        """Answer control messages, each after the frames it does not concern, and start on frames."""
        while True:
            await self._has_work.wait()
            if self._controls and not (self._is_ending and self.slot.is_filled and self._visitor.is_known):
                await self._answers.settle()
                await self._follow(self._controls.popleft())
            elif self.slot.is_filled:
                await self._start()
            else:
                self._has_work.clear()

    async def _follow(self, said: control.Configure | control.End | _Shutdown | GatewayError) -> None:
        match said:
            case control.Configure():
                await self._dialogue.configure(said)
            case GatewayError():
                await self._dialogue.complain(said)
            case control.End() | _Shutdown():
                self.slot.drop()
                await self._dialogue.sum_up(self.slot.counts)
                raise Closing(1000, "") if isinstance(said, control.End) else Closing(1012, SHUTTING_DOWN)

    async def _start(self) -> None:
        """Begin with the newest frame when there is room and the rate allows it."""
        await self._answers.has_room()
        try:
            await self._visitor.within_rate()
        except GatewayError as error:
            raise Closing(1008, error.message) from None
        await self._answers.begin()
