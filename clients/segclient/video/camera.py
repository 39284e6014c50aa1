"""A camera as an iterator that always gives the newest frame."""

import threading
import time
from collections.abc import Iterator
from typing import Self

import cv2
import numpy as np

from segclient.images import Picture
from segclient.video.files import USUAL_RATE, open_capture


class Camera:
    """Frames, uint8 [H,W,3], RGB, of a camera, or of a video file played as if it were one; for a ``with``.

    Iterating waits for a frame newer than the one before; whoever is slower than the camera misses some, and never gets
    an old one.

    Args:
        source: a camera's number, from 0, or a video file.

    Raises:
        PictureError: it cannot be opened.
    """

    def __init__(self, source: int | str = 0) -> None:
        self._capture = open_capture(source)
        # A few frames wait in a camera's driver unless it is told otherwise.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or USUAL_RATE
        self._is_file = not isinstance(source, int)
        self._frame: Picture | None = None
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="segclient-camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch it off; iterating ends."""
        self._is_over = True
        self._thread.join()

    def __iter__(self) -> Iterator[Picture]:
        return self

    def __next__(self) -> Picture:
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
