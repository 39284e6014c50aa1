"""Read and write video files with OpenCV's FFmpeg. Frames are uint8 [H,W,3], RGB."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from segclient.errors import ImageError, SettingsError
from segclient.images import RgbArray

# Frames per second where neither container nor camera gives a rate.
DEFAULT_RATE = 25.0
# Without an index a container's frame count is an estimate; this much less does not count as damage.
_MISSING_FRACTION = 0.02

# What OpenCV's own encoders write and players know.
_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
_LOSSLESS = {".mkv": "FFV1", ".avi": "FFV1"}


class VideoReader:
    """All frames of a video file in order, rotated upright.

    Attributes:
        rate: frames per second.
        announced: the frame count in the container; 0 where it has none.
        count: frames read so far.

    Raises:
        ImageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ImageError(f"{path}: no such file; expected a video")
        self._capture = open_capture(str(path))
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.count = 0

    @property
    def is_damaged(self) -> bool:
        """After the last frame: whether clearly fewer frames were read than announced."""
        return self.count < self.announced * (1 - _MISSING_FRACTION)

    def __iter__(self) -> Iterator[RgbArray]:
        try:
            while True:
                read, frame = self._capture.read()
                if not read:
                    return
                self.count += 1
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            self._capture.release()


class VideoWriter:
    """Writes a video file; a context manager. The size is that of the first frame.

    OpenCV's encoders take even sizes only and would crop odd ones: the last row or column is repeated instead, and
    ``is_padded`` becomes true.

    Args:
        path: its suffix chooses the container: .mp4, .mov, .mkv or .avi; with ``lossless`` .mkv or .avi.
        rate: frames per second.
        lossless: FFV1, which preserves every pixel.

    Raises:
        SettingsError: unsupported suffix, or the file cannot be written.
    """

    def __init__(self, path: Path, rate: float, *, lossless: bool = False) -> None:
        self._codec = codec_of(path, lossless=lossless)
        self._path = path
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self.is_padded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.release()

    def write(self, frame: RgbArray) -> None:
        """Append one frame of the first one's size."""
        bottom, right = (side % 2 for side in frame.shape[:2])
        if bottom or right:
            self.is_padded = True
            frame = np.asarray(cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        if self._writer is None:
            height, width = frame.shape[:2]
            fourcc = cv2.VideoWriter.fourcc(*self._codec)
            with _quiet():
                self._writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, fourcc, self._rate, (width, height))
            if not self._writer.isOpened():
                raise SettingsError(f"{self._path}: a video of {width}x{height} pixels cannot be written to it")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def codec_of(path: Path, *, lossless: bool) -> str:
    """The FourCC for a file of this name.

    Raises:
        SettingsError: unsupported suffix.
    """
    codecs = _LOSSLESS if lossless else _CODECS
    if path.suffix.lower() not in codecs:
        why = " (lossless, as class ids must not change)" if lossless else ""
        raise SettingsError(f"{path}: unsupported suffix; expected a video file ending in {' or '.join(codecs)}{why}")
    return codecs[path.suffix.lower()]


def open_capture(source: int | str) -> cv2.VideoCapture:
    """Open a camera by number or a video by name, rotated upright.

    Raises:
        ImageError: it cannot be opened.
    """
    with _quiet():
        capture = cv2.VideoCapture(source) if isinstance(source, int) else cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        if isinstance(source, int):
            raise ImageError(f"camera {source} cannot be opened: it does not exist, or another program uses it")
        raise ImageError(f"{source}: cannot be opened as a video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the logs of OpenCV and FFmpeg; the error raised instead is enough."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
