"""``segstack data frames``: still images from videos, to be labelled; and opening videos.

A frame is named ``<video>_<frame index, 6 digits>``, independent of the rate, so that it has the same name each time
and ``--group-pattern`` keeps a video's frames in one split.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from contract.durable import replacing
from trainer.errors import UserError
from trainer.progress import progress

GROUP_PATTERN = r"(.+)_\d{6}$"

# The side of the grey thumbnails by which two frames are compared.
_THUMBNAIL = 32

# A container's frame count is an estimate if it is not indexed: a smaller difference is not damage.
_MISSING_FRACTION = 0.02
# Frames per second, if a container or a camera does not give them, or gives its clock's rate instead.
_USUAL_RATE, _HIGHEST_RATE = 25.0, 1000.0


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a video to keep.

    Attributes:
        every: keep every n-th frame; when None, ``rate`` decides.
        rate: frames to keep per second of the video.
        start, end: seconds from the video's beginning; the end is exclusive.
        min_difference: skip a frame whose mean difference from the last one kept is smaller, in grey levels 0..255;
            0 keeps all.
    """

    every: int | None = None
    rate: float = 1.0
    start: float = 0.0
    end: float | None = None
    min_difference: float = 0.0

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise UserError(f"--every {self.every}: expected 1 or more")
        if not self.rate > 0:
            raise UserError(f"--fps {self.rate:g}: expected more than 0 frames per second")
        if not 0 <= self.min_difference <= 255:
            raise UserError(f"--min-difference {self.min_difference:g}: expected 0 to 255 grey levels")
        if self.start < 0:
            raise UserError(f"--start {self.start:g}: expected 0 seconds or later")
        if self.end is not None and self.end <= self.start:
            raise UserError(f"--end {self.end:g}: expected a time after --start, which is {self.start:g} seconds")


@dataclass(frozen=True)
class Extraction:
    """The number of frames written from one video, and of frames skipped because they are like the last one kept."""

    video: Path
    written: int
    similar: int


def extract_frames(
    videos: Sequence[Path], output: Path, choice: FrameChoice, image_format: str = "jpg", quality: int = 95
) -> list[Extraction]:
    """Write the chosen frames of ``videos`` to the folder ``output``, upright by the video's rotation.

    Raises:
        UserError: no such video, one that cannot be read (frames before the damage are kept), two videos of the same
            name, frames that exist already, or no frame in the chosen time.
    """
    if not 1 <= quality <= 100:
        raise UserError(f"--quality {quality}: expected 1 to 100")
    _check_names(videos, output)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if image_format == "jpg" else []
    return [_extract(video, output, choice, f".{image_format}", options) for video in videos]


def _check_names(videos: Sequence[Path], output: Path) -> None:
    """Raise UserError if a file would be overwritten, before anything is written."""
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: is a file; expected the name of a folder")
    by_stem: dict[str, Path] = {}
    for video in videos:
        if not video.is_file():
            raise UserError(f"{video}: no such file; expected a video")
        other = by_stem.setdefault(video.stem, video)
        if other is not video:
            raise UserError(f"{other} and {video} would give frames of the same name: extract them to two folders")
        existing = next(iter(sorted(output.glob(f"{_escaped(video.stem)}_" + "[0-9]" * 6 + ".*"))), None)
        if existing:
            raise UserError(f"{existing} exists already: choose another --output, or remove that video's frames")


def _escaped(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)


def _extract(video: Path, output: Path, choice: FrameChoice, suffix: str, options: list[int]) -> Extraction:
    written = similar = 0
    thumbnail = None
    try:
        for index, frame in _chosen(video, choice):
            before, thumbnail = thumbnail, _thumbnail(frame)
            if before is not None and np.abs(thumbnail - before).mean() < choice.min_difference:
                thumbnail, similar = before, similar + 1
                continue
            _write(output / f"{video.stem}_{index:06d}{suffix}", frame, options)
            written += 1
    except DamageError as damage:
        kept = f"the {written} frames before it are kept in {output}" if written else "no frame was written"
        raise UserError(f"{video}: {damage}; {kept}. Repair or re-encode the video to read the rest") from None
    if not written:
        raise UserError(f"{video}: has no frame between --start and --end: choose another time")
    return Extraction(video, written, similar)


def _chosen(video: Path, choice: FrameChoice) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Index and upright BGR image [H, W, 3] of each frame to keep, in order."""
    capture = open_video(video)
    announced = frame_count(capture)
    frame_seconds = 1 / frame_rate(capture)
    last = announced if choice.end is None else min(announced, math.ceil(choice.end / frame_seconds))
    due, index = choice.start, 0
    try:
        with progress(None, video.name, "frame", total=last or None) as bar:
            # Seeking lands on a key frame in many containers; counting frames keeps the indices in the names right.
            while capture.grab():
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 + frame_seconds / 2
                if choice.end is not None and seconds > choice.end:
                    return
                if seconds > due if choice.every is None else seconds > choice.start and index % choice.every == 0:
                    due = max(due + 1 / choice.rate, seconds - frame_seconds)
                    read, frame = capture.retrieve()
                    if not read:
                        break
                    yield index, np.asarray(frame, np.uint8)
                index += 1
                bar.update()
    finally:
        capture.release()
    require_whole(index, announced)


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)


def _write(path: Path, frame: NDArray[np.uint8], options: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(cv2.imencode(path.suffix, frame, options)[1].tobytes())


class DamageError(Exception):
    """A video cannot be read, or not to its end; the message says where."""


def open_video(video: Path) -> cv2.VideoCapture:
    """Open a video whose frames are decoded upright, by its rotation.

    The messages of FFmpeg and OpenCV about a damaged file are silenced: DamageError has one sentence instead.

    Raises:
        DamageError: it cannot be opened.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise DamageError("cannot be opened as a video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def frame_rate(capture: cv2.VideoCapture) -> float:
    """Frames per second."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate < _HIGHEST_RATE else _USUAL_RATE


def frame_count(capture: cv2.VideoCapture) -> int:
    """The number of frames that the container announces; 0 if it announces none."""
    return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))


def require_whole(read: int, announced: int) -> None:
    """Raise DamageError if more than 2 % of the announced frames could not be read."""
    if read < announced * (1 - _MISSING_FRACTION):
        raise DamageError(f"cannot be read beyond frame {read} of {announced}")
