"""Where a stream's frame waits: there is room for one, and a newer frame replaces it."""

from collections.abc import Callable

from gateway.stream.messages import Summary
from gateway.stream.wire import Frame


class NewestFrame:
    """At most one frame, the newest, and the counts of all frames received.

    Args:
        on_drop: called for each frame that is dropped.
    """

    def __init__(self, on_drop: Callable[[], None]) -> None:
        self.counts = Summary()
        self._on_drop = on_drop
        self._frame: Frame | None = None
        self._dropped = 0

    @property
    def is_filled(self) -> bool:
        """Whether a frame waits."""
        return self._frame is not None

    def put(self, frame: Frame) -> None:
        """Let ``frame`` wait; the one that waited is dropped."""
        self.counts.received += 1
        self.drop()
        self._frame = frame

    def take(self) -> Frame:
        """Remove the waiting frame, which must exist, and return it."""
        frame, self._frame = self._frame, None
        assert frame is not None
        return frame

    def drop(self) -> None:
        """Discard the waiting frame, if any."""
        if self._frame is not None:
            self._frame = None
            self.counts.dropped += 1
            self._dropped += 1
            self._on_drop()

    def take_dropped(self) -> int:
        """The number of frames dropped since the last call."""
        count, self._dropped = self._dropped, 0
        return count
