"""Networks and files of prediction's tests."""

import cv2
import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from trainer.inference.segmenter import Segmenter

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "bright", (200, 0, 100)))


@pytest.fixture
def bright():
    """A network for which every bright pixel is of class 1."""
    card = ModelCard("bright", "none", 32, 48, CLASSES)
    return Segmenter("bright", card, lambda images: (images.mean(-1) > 128).astype(np.uint8), None, lambda: None)


@pytest.fixture
def write_video():
    """``write_video(path, frames, rate=12.5)``: a video of RGB frames."""

    def write(path, frames, rate=12.5):
        size = frames[0].shape[1::-1]
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
        return path

    return write


@pytest.fixture
def moving():
    """Twenty frames of 64x96: a white stripe of 8 pixels, which moves to the right by 4 each time."""
    frames = np.zeros((20, 64, 96, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 4 * number : 4 * number + 8] = 255
    return list(frames)
