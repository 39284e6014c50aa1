"""A real gateway, with the stand-in for serving that its own tests have."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gateway.settings import Settings
from segclient import Client

# pytest shares fixtures down the folders only, and this one's is not above ours.
_GATEWAY_TESTS = Path(__file__).parents[2] / "services/gateway/tests/conftest.py"
_spec = importlib.util.spec_from_file_location("gateway_fixtures", _GATEWAY_TESTS)
assert _spec
assert _spec.loader
gateway_fixtures = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = gateway_fixtures
_spec.loader.exec_module(gateway_fixtures)

FakeServing = gateway_fixtures.FakeServing
unused_address = gateway_fixtures.unused_address
certificates = gateway_fixtures.certificates
run_gateway = gateway_fixtures.run_gateway
start = gateway_fixtures.start
metric = gateway_fixtures.metric
wait_for = gateway_fixtures.wait_for
photo = gateway_fixtures.photo
encode = gateway_fixtures.encode
jpeg = gateway_fixtures.jpeg
gate = gateway_fixtures.gate
make_gateway = gateway_fixtures.make_client


@pytest.fixture(scope="session")
def shared() -> Iterator[tuple[Any, Any]]:
    """One serving, and an HTTP client of one gateway, for all tests that need nothing special of either."""
    fake = FakeServing()
    fake.start()
    settings = Settings(serving_address=fake.address, models="shapes", port=0, codec_threads=2)
    with gateway_fixtures._served(settings, verify=True) as http:
        yield fake, http
    fake.stop()


@pytest.fixture
def serving(shared: tuple[Any, Any], metric: Callable[..., float], wait_for: Callable[..., None]) -> Iterator[Any]:
    """Serving with model ``shapes``; whatever a test scripts is forgotten afterwards, and no stream left open."""
    fake, http = shared
    fake.predictions.clear()
    yield fake
    wait_for(lambda: metric(http, "segstack_gateway_streams") == 0)
    untouched = {name: value for name, value in vars(FakeServing()).items() if name not in ("port", "_server")}
    vars(fake).update(untouched)


@pytest.fixture
def url(shared: tuple[Any, Any], serving: Any) -> str:
    """Of a gateway with model ``shapes``: class 1 where red leads, 2 green, 3 blue, 0, background, where dark."""
    return str(shared[1].base_url)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def quarters() -> np.ndarray:
    """uint8 [96,128]: the mask of ``photo``."""
    mask = np.zeros((96, 128), np.uint8)
    mask[:48, :64], mask[:48, 64:], mask[48:, :64] = 1, 2, 3
    return mask


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """``make_clip(name, frames, rate, size)``: a video that is red in its left half and green in its right.

    A white bar on top is as many tenths of its width long as the last digit of the frame's number says.
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
