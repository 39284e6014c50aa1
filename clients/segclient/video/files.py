"""Video files in and out, by OpenCV's FFmpeg. Frames are uint8 [H,W,3], RGB."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from segclient.errors import PictureError, SettingsError
from segclient.images import Picture

# Frames per second, where neither container nor camera says.
USUAL_RATE = 25.0
# A container's frame count is an estimate where it is not indexed; so much less is no damage.
_MISSING_FRACTION = 0.02

# What OpenCV can write by itself; of the others it has no encoder, or no player knows them.
_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
_LOSSLESS = {".mkv": "FFV1", ".avi": "FFV1"}


class VideoReader:
    """A video file's frames, upright, in order: all of them, one after another.

    Attributes:
        rate: frames per second.
        announced: how many frames it says to have; 0 where it does not.
        count: how many were read so far.

    Raises:
        PictureError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PictureError(f"{path}: no such file; expected a video")
        self._capture = open_capture(str(path))
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or USUAL_RATE
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.count = 0

    @property
    def is_damaged(self) -> bool:
        """After the last frame: whether clearly fewer were read than announced."""
        return self.count < self.announced * (1 - _MISSING_FRACTION)

    def __iter__(self) -> Iterator[Picture]:
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
    """A video file being written, in a ``with``; the size is that of the first frame.

    OpenCV's encoders take even sizes only, and would cut off what is odd: a row or column more repeats the last one,
    and ``is_padded`` says so.

    Args:
        path: its suffix decides the container: .mp4, .mov, .mkv or .avi; of ``lossless`` ones .mkv or .avi.
        rate: frames per second.
        lossless: FFV1, which gives every pixel back as it was.

    Raises:
        SettingsError: another suffix, or it cannot be written.
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

    def write(self, frame: Picture) -> None:
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
                raise SettingsError(f"{self._path}: no video of {width}x{height} pixels can be written there")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def codec_of(path: Path, *, lossless: bool) -> str:
    """The FourCC for a file of that name.

    Raises:
        SettingsError: no video of ours has that suffix.
    """
    codecs = _LOSSLESS if lossless else _CODECS
    if path.suffix.lower() not in codecs:
        why = ": class ids must come back as they are, for which it is" if lossless else ""
        raise SettingsError(f"{path}: a video ends in one of {', '.join(codecs)}{why}; name it so")
    return codecs[path.suffix.lower()]


def open_capture(source: int | str) -> cv2.VideoCapture:
    """A camera by number or a video by name, upright.

    Raises:
        PictureError: it cannot be opened.
    """
    with _quiet():
        capture = cv2.VideoCapture(source) if isinstance(source, int) else cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        if isinstance(source, int):
            raise PictureError(f"camera {source} cannot be opened: there is none, or another program has it")
        raise PictureError(f"{source}: cannot be opened as a video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV and FFmpeg keep to themselves what they think: a sentence of ours says it."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
