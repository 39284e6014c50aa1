"""The one place of a stream where a frame waits: a newer one takes it."""

from collections.abc import Callable

from gateway.stream.control import Summary
from gateway.stream.wire import Frame


class NewestFrame:
    """At most one frame, the newest, and the count of all that came; ``dropped`` is called for each that is dropped."""

    def __init__(self, dropped: Callable[[], None]) -> None:
        self.counts = Summary()
        self._tell = dropped
        self._frame: Frame | None = None
        self._dropped = 0

    @property
    def is_filled(self) -> bool:
        """Whether a frame waits."""
        return self._frame is not None

    def put(self, frame: Frame) -> None:
        """Have ``frame`` wait; the one that did is dropped."""
        self.counts.received += 1
        self.drop()
        self._frame = frame

    def take(self) -> Frame:
        """The newest frame; there has to be one."""
        frame, self._frame = self._frame, None
        assert frame is not None
        return frame

    def drop(self) -> None:
        """Give up the waiting frame, if any."""
        if self._frame is not None:
            self._frame = None
            self.counts.dropped += 1
            self._dropped += 1
            self._tell()

    def dropped_since(self) -> int:
        """How many were dropped since this was last asked."""
        count, self._dropped = self._dropped, 0
        return count
