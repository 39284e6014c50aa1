"""Video files and cameras, segmented and written as videos."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np

from contract.durable import replacing
from trainer.datasets.drawing import Image
from trainer.errors import UserError
from trainer.inference.segment import batches, segment
from trainer.inference.segmenter import Masks, Segmenter
from trainer.inference.tta import TestTimeAugmentation
from trainer.prediction.inputs import Job
from trainer.prediction.render_style import RenderStyle
from trainer.progress import in_threads, progress
from trainer.sources.frames import DamageError, frame_count, frame_rate, open_video, require_whole

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


def predict_video(
    segmenter: Segmenter, job: Job, style: RenderStyle, tta: TestTimeAugmentation, batch_size: int = 8
) -> str | None:
    """Segment every frame, upright by the video's rotation; rate and size are kept, sound is dropped.

    Returns:
        Why a video could not be read, or not to its end, in which case the frames before are kept; None if it could.
    """
    try:
        capture = open_video(job.source)
    except DamageError as damage:
        return f"{job.source}: {damage}"
    announced, written = frame_count(capture), 0
    rate = frame_rate(capture)
    classes = segmenter.card.classes
    job.target.parent.mkdir(parents=True, exist_ok=True)
    damaged: DamageError | None = None
    try:
        with replacing(job.target) as staged:
            try:
                with (
                    closing(_masks(segmenter, _frames(capture), tta, batch_size)) as masks,
                    closing(in_threads(lambda found: style.draw(*found, classes), masks)) as images,
                    progress(None, job.source.name, "frame", total=announced or None) as bar,
                    Recording(staged, rate) as recording,
                ):
                    for image in images:
                        recording.write(image)
                        written += 1
                        bar.update()
                require_whole(written, announced or 1)
            except DamageError as damage:
                damaged = damage
            if damaged and not written:
                raise damaged
    except DamageError as damage:
        return f"{job.source}: {damage}"
    finally:
        capture.release()
    return f"{job.source}: {damaged}; the frames before are in {job.target}" if damaged else None


def record(
    segmenter: Segmenter,
    capture: cv2.VideoCapture,
    target: Path,
    style: RenderStyle,
    tta: TestTimeAugmentation,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Segment a camera's frames, always the newest, until ``seconds`` are over or Ctrl-C.

    The video has the camera's rate. Where the network is slower, each frame is repeated for as long as it took: the
    video is as long as the recording.

    Returns:
        How many frames were segmented.

    Raises:
        UserError: the camera stopped before that, in which case the frames before are kept, or the file cannot be
            written.
    """
    rate = frame_rate(capture)
    segmented, written, started = 0, 0, clock()
    has_stopped = False
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        closing(_frames(capture)) as frames,
        progress(None, "camera, Ctrl-C ends it", "frame") as bar,
        Recording(target, rate) as recording,
    ):
        try:
            for frame in frames:
                (mask,) = segment(segmenter, [frame], tta)
                image = style.draw(frame, mask, segmenter.card.classes)
                segmented += 1
                bar.update()
                elapsed = clock() - started
                while written <= elapsed * rate:
                    recording.write(image)
                    written += 1
                if seconds is not None and elapsed >= seconds:
                    break
            else:
                has_stopped = True
        except KeyboardInterrupt:
            pass  # Ctrl-C ends a recording
    if not segmented:
        raise UserError("the camera gave no frame: nothing was recorded")
    if has_stopped:
        raise UserError(f"the camera stopped after {segmented} frames, which are in {target}")
    return segmented


@contextmanager
def camera(index: int) -> Generator[cv2.VideoCapture]:
    """The camera of this number, with the smallest buffer that it allows.

    Raises:
        UserError: there is none.
    """
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        if not capture.isOpened() or not capture.grab():
            raise UserError(f"camera {index} cannot be opened: is it plugged in, and used by no other program?")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        yield capture
    finally:
        capture.release()


class Recording:
    """A video file, written frame by frame; its size is the first frame's, made even, as codecs want it."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.release()

    def write(self, image: Image) -> None:
        """Append RGB uint8 [H, W, 3].

        Raises:
            UserError: the file cannot be written.
        """
        height, width = image.shape[:2]
        even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._writer is None:
            os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
            codec = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, codec, self._rate, even.shape[1::-1])
            if not self._writer.isOpened():
                raise UserError(f"{self._path} cannot be written as a video")
        self._writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))


def _frames(capture: cv2.VideoCapture) -> Generator[Image]:
    """Every frame, RGB."""
    while True:
        read, frame = capture.read()
        if not read:
            return
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def _masks(
    segmenter: Segmenter, frames: Generator[Image], tta: TestTimeAugmentation, batch_size: int
) -> Generator[tuple[Image, Masks]]:
    for batch in batches(frames, batch_size):
        yield from zip(batch, segment(segmenter, batch, tta, batch_size), strict=True)
