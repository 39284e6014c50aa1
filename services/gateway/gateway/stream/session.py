"""One stream from its first message to its last."""

import asyncio
from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from gateway.access.control import KEY_IN_CONFIGURE, KEY_NEEDED, Client
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.stream import messages
from gateway.stream.control_channel import ControlChannel
from gateway.stream.frames import FramePipeline
from gateway.stream.slot import NewestFrame
from gateway.stream.streams import SHUTTING_DOWN, Closing, Streams, closing_of
from gateway.stream.wire import Frame

# Text messages that wait for their replies; no client needs more.
_MAX_WAITING_MESSAGES = 16


@dataclass(frozen=True)
class _Shutdown:
    """Queued with the text messages: the gateway ends the stream."""


class Session:
    """Reads without pause into a slot for one frame, and works on the newest frame in this stream's turn.

    Memory is bounded: one frame waits and one is being received, those in work are in the slots of all requests, and at
    most one reply more than serving works on at once waits to be sent. A client that does not read its replies stops
    the work, not the reading.

    Args:
        idle_timeout_ms: without a message for so long, an authorized client's stream is closed.
        key_timeout_ms: an unauthenticated client's stream is closed after that, even if it sends data.
    """

    def __init__(
        self,
        websocket: WebSocket,
        client: Client,
        streams: Streams,
        newest: NewestFrame,
        channel: ControlChannel,
        frames: FramePipeline,
        metrics: Metrics,
        idle_timeout_ms: int,
        key_timeout_ms: int,
    ) -> None:
        self._websocket = websocket
        self._client = client
        self._streams = streams
        self._newest = newest
        self._channel = channel
        self._frames = frames
        self._metrics = metrics
        self._idle_timeout_ms = idle_timeout_ms
        self._key_timeout_ms = key_timeout_ms
        self._waiting: deque[messages.Configure | messages.End | _Shutdown | GatewayError] = deque()
        self._has_work = asyncio.Event()
        self._is_ending = False

    async def run(self) -> Closing:
        """Serve until the stream ends, and return how; frames not answered by then are counted as dropped."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._work())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return closing_of(next(task for task in tasks if task in done))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._frames.abandon()
            self._count_the_rest_as_dropped()

    def end(self) -> None:
        """The gateway shuts down: finish the frames in work, send the summary, and close."""
        self._waiting.append(_Shutdown())
        self._has_work.set()

    def _count_the_rest_as_dropped(self) -> None:
        counts = self._newest.counts
        lost = counts.received - counts.answered - counts.failed - counts.dropped
        counts.dropped += lost
        self._metrics.frames.labels("dropped").inc(lost)

    async def _read(self) -> None:
        """Take messages for as long as the stream is open: uvicorn reads the network only while someone receives."""
        key_needed_by = asyncio.get_running_loop().time() + self._key_timeout_ms / 1000
        while True:
            is_authorized = self._client.is_authorized
            timeout_ms = self._idle_timeout_ms if is_authorized else self._key_timeout_ms
            try:
                # An unauthenticated client cannot extend its time by sending something.
                async with asyncio.timeout(timeout_ms / 1000) if is_authorized else asyncio.timeout_at(key_needed_by):
                    message = await self._websocket.receive()
            except TimeoutError:
                what = "no frame" if is_authorized else "no configure message with a valid api_key"
                raise Closing(1008, f"{what} came for {timeout_ms} ms; open a new stream when there is one") from None
            if message["type"] == "websocket.disconnect":
                raise Closing(message["code"], message.get("reason") or "", by_client=True)
            # At once: a key in this message decides how the messages after it are treated.
            if not self._is_ending:
                self._accept(message)
            await asyncio.sleep(0)  # thousands of messages may be buffered; let other tasks run between them

    def _accept(self, message: MutableMapping[str, Any]) -> None:
        if (frame := message.get("bytes")) is None:
            self._accept_text(message["text"])
        elif self._client.is_authorized:
            self._metrics.frames_received.inc()
            self._newest.put(Frame(frame))
        else:
            raise Closing(1008, KEY_NEEDED)
        self._has_work.set()

    def _accept_text(self, text: str) -> None:
        if len(self._waiting) >= _MAX_WAITING_MESSAGES:
            raise Closing(
                1008, f"more than {_MAX_WAITING_MESSAGES} text messages wait; send the next one after a reply"
            )
        try:
            message = messages.read(text)
            self._is_ending = isinstance(message, messages.End)
            if isinstance(message, messages.Configure) and not self._client.is_authorized:
                self._client.authenticate(message.api_key, KEY_IN_CONFIGURE)  # at once, as frames may follow
                self._streams.count(self)
        except GatewayError as error:
            self._waiting.append(error)
        else:
            self._waiting.append(message)

    async def _work(self) -> None:
        """Answer text messages, each after the frames that came before it, and start on frames."""
        while True:
            await self._has_work.wait()
            if self._waiting and not (self._is_ending and self._newest.is_filled and self._client.is_authorized):
                await self._frames.settle()
                await self._follow(self._waiting.popleft())
            elif self._newest.is_filled:
                await self._start_frame()
            else:
                self._has_work.clear()

    async def _follow(self, message: messages.Configure | messages.End | _Shutdown | GatewayError) -> None:
        match message:
            case messages.Configure():
                await self._channel.configure(message)
            case GatewayError():
                await self._channel.send_error(message)
            case messages.End() | _Shutdown():
                self._newest.drop()
                await self._channel.send_summary(self._newest.counts)
                raise Closing(1000, "") if isinstance(message, messages.End) else Closing(1012, SHUTTING_DOWN)

    async def _start_frame(self) -> None:
        """Start on the newest frame once there is room and the client's rate allows it."""
        await self._frames.wait_for_room()
        try:
            await self._client.wait_for_rate()
        except GatewayError as error:
            raise Closing(1008, error.message) from None
        await self._frames.start()
