"""Opening videos with OpenCV, and what is wrong with them in words."""

import os
from pathlib import Path

import cv2

# A container's frame count is an estimate where it is not indexed; so much less is no damage.
_MISSING_FRACTION = 0.02
# Frames per second, where a container or a camera does not say, or says its clock's rate instead.
_USUAL_RATE, _HIGHEST_RATE = 25.0, 1000.0


class DamageError(Exception):
    """A video that cannot be read, or not to its end; the message says where."""


def open_video(video: Path) -> cv2.VideoCapture:
    """Frames come upright, as the video's rotation says.

    FFmpeg and OpenCV keep to themselves what they think of a damaged file: a sentence of ours says it.

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
    """How many frames the container announces; 0 when it does not."""
    return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))


def require_whole(read: int, announced: int) -> None:
    """Raise DamageError when a good part of the announced frames could not be read."""
    if read < announced * (1 - _MISSING_FRACTION):
        raise DamageError(f"cannot be read beyond frame {read} of {announced}")
