"""A camera as an iterator over its newest frames."""

import threading
import time
from collections.abc import Iterator
from typing import Self

import cv2
import numpy as np

from segclient.images import RgbArray
from segclient.video.files import DEFAULT_RATE, open_capture


class Camera:
    """Frames, uint8 [H,W,3], RGB, of a camera, or of a video file played at its own rate; a context manager.

    Iterating waits for a frame newer than the one before: a slow consumer misses frames, but never gets an old one.

    Args:
        source: a camera's number, from 0, or a video file.

    Raises:
        ImageError: it cannot be opened.
    """

    def __init__(self, source: int | str = 0) -> None:
        self._capture = open_capture(source)
        # Drivers queue a few frames by default, which would be old.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE
        self._is_file = not isinstance(source, int)
        self._frame: RgbArray | None = None
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="segclient-camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the camera; iterating ends."""
        self._is_over = True
        self._thread.join()

    def __iter__(self) -> Iterator[RgbArray]:
        return self

    def __next__(self) -> RgbArray:
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._is_over)
            if self._frame is None:
                raise StopIteration
            frame, self._frame = self._frame, None
        return frame

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._is_over:
                read, frame = self._capture.read()
                if not read:
                    break
                rgb = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
                with self._changed:
                    self._frame = rgb
                    self._changed.notify()
                if self._is_file:
                    due += 1 / self.rate
                    time.sleep(max(0.0, due - time.monotonic()))
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()
            self._capture.release()
