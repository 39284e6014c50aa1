"""A real gateway in front of a fake serving, and the clips that segclient's tests send to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from segclient import Client
from segstack_testing.fake_serving import FakeServing
from segstack_testing.fixtures import *  # noqa: F403 - every one is a fixture
from segstack_testing.gateways import SharedGateway
from segstack_testing.images import PHOTO_MASK


@pytest.fixture
def url(shared_gateway: SharedGateway, serving: FakeServing) -> str:
    """A gateway with model ``shapes``: class 1 where red is largest, 2 green, 3 blue; 0, background, where dark."""
    return str(shared_gateway.client.base_url)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def quarters() -> np.ndarray:
    """uint8 [96,128]: the mask of ``photo``."""
    return PHOTO_MASK


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """``make_clip(name, frames, rate, size)``: a video that is red in its left half and green in its right.

    A white bar at the top is n tenths of the width long, n being the last digit of the frame's number.
    """

    def make(name: str = "clip.mp4", frames: int = 12, rate: float = 25.0, size: tuple[int, int] = (128, 96)) -> Path:
        path = tmp_path / name
        codec = "MJPG" if path.suffix == ".avi" else "mp4v"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, size)
        width, height = size
        for number in range(frames):
            frame = np.zeros((height, width, 3), np.uint8)
            frame[:, : width // 2] = (20, 20, 200)
            frame[:, width // 2 :] = (20, 200, 20)
            frame[: height // 8, : width * (number % 10) // 10] = 255
            writer.write(frame)
        writer.release()
        return path

    return make
