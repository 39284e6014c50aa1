"""From a published model to a mask over HTTP: the real embedded server and the real gateway, each in its process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from contract import ModelCard, versions
from contract.repository import CARD_PATH

PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {PATIENCE_SECONDS} s")


@contextmanager
def running(module: str, *arguments: str, **settings: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env={**os.environ, **settings})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


class Road:
    """Serving and a gateway over one repository."""

    def __init__(self, models_root: Path, stack: ExitStack) -> None:
        self.models_root = models_root
        self.stack = stack
        self.serving_port = free_port()
        self.serving = self.start_serving()
        port = free_port()
        self.gateway = stack.enter_context(
            running(
                "gateway",
                GATEWAY_PORT=str(port),
                GATEWAY_SERVING_ADDRESS=f"127.0.0.1:{self.serving_port}",
                GATEWAY_MODELS_CONFIG=str(models_root / "models.config"),
            )
        )
        self.http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
        wait_for(self.is_ready, "readiness")

    def start_serving(self) -> subprocess.Popen:
        return self.stack.enter_context(
            running(
                "serving",
                f"--port={self.serving_port}",
                f"--model_config_file={self.models_root / 'models.config'}",
                f"--models_root={self.models_root}",
            )
        )

    def is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def segment(self, image: bytes, **query: str) -> httpx.Response:
        return self.http.post("/segment", content=image, params=query, headers={"Content-Type": "image/jpeg"})


@pytest.fixture(scope="module")
def road(small_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    models_root = tmp_path_factory.mktemp("road") / "models_repo"
    shutil.copytree(small_models_root, models_root)  # these tests publish more versions
    with ExitStack() as stack:
        yield Road(models_root, stack)


@pytest.fixture(scope="module")
def photo(small_models_root: Path) -> Path:
    """A real JPEG of 128x96 pixels with drawn objects on it."""
    return sorted((small_models_root.parent / "data/images").iterdir())[0]


@pytest.fixture(scope="module")
def card(small_models_root: Path) -> ModelCard:
    return ModelCard.from_json((small_models_root / "small/1" / CARD_PATH).read_text())


def error_of(response: httpx.Response) -> dict:
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"code", "message", "detail"}
    return error


def test_curl_gets_an_indexed_png_of_the_photos_size(road: Road, photo: Path, card: ModelCard, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    mask = tmp_path / "mask.png"
    url = f"{road.http.base_url}/segment"
    subprocess.run(
        [curl, "-fsS", "--data-binary", f"@{photo}", "-H", "Content-Type: image/jpeg", url, "-o", mask], check=True
    )
    with Image.open(mask) as image, Image.open(photo) as original:
        assert image.mode == "P"
        assert image.size == original.size
        palette = image.getpalette()
        for c in card.classes:
            assert tuple(palette[3 * c.id : 3 * c.id + 3]) == c.color
        assert np.asarray(image).max() < len(card.classes)


def test_the_mask_is_the_published_graphs_own(
    road: Road, small_models_root: Path, photo: Path, card: ModelCard
) -> None:
    pixels = cv2.resize(cv2.imread(str(photo), cv2.IMREAD_COLOR_RGB), (card.input_width, card.input_height))
    graph = tf.saved_model.load(str(small_models_root / "small/1")).signatures["serving_default"]
    expected = graph(image=tf.constant(pixels[None]))["mask"].numpy()[0]
    assert len(np.unique(expected)) > 1, "a mask of one class alone would prove little"

    response = road.segment(photo.read_bytes(), size="model")

    assert response.status_code == 200
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(response.content))), expected)


@pytest.mark.parametrize("output", ["color", "overlay", "json"])
def test_every_other_output_answers_for_the_same_photo(road: Road, photo: Path, card: ModelCard, output: str) -> None:
    response = road.segment(photo.read_bytes(), output=output)
    assert response.status_code == 200
    if output == "json":
        assert {c["name"] for c in response.json()["classes"]} <= {c.name for c in card.classes}
    else:
        assert Image.open(BytesIO(response.content)).size == (128, 96)


def test_the_model_describes_itself_through_every_service(road: Road, card: ModelCard) -> None:
    model = road.http.get("/models/small").json()
    assert model["metrics"]["miou"] == card.metrics.miou
    assert [c["name"] for c in model["classes"]] == [c.name for c in card.classes]


def test_what_cannot_be_answered_is_a_documented_error_and_the_gateway_goes_on(road: Road, photo: Path) -> None:
    whole = photo.read_bytes()
    for response, status in (
        (road.segment(b"this is no image"), 415),
        (road.segment(whole[: len(whole) // 2]), 400),
        (road.segment(whole, model="nobody"), 404),
        (road.segment(whole, output="hologram"), 422),
    ):
        assert response.status_code == status
        error_of(response)
    assert road.segment(whole).status_code == 200


def test_the_gateway_has_no_tensorflow(road: Road) -> None:
    assert "tensorflow" not in Path(f"/proc/{road.gateway.pid}/maps").read_text()


def test_serving_may_go_and_come_back(road: Road, photo: Path) -> None:
    road.serving.terminate()
    assert road.serving.wait(20) == 0

    away = road.segment(photo.read_bytes())
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
    assert "serving" in error_of(away)["message"].lower()
    assert road.http.get("/readyz").status_code == 503
    assert road.http.get("/livez").status_code == 200

    road.serving = road.start_serving()
    wait_for(lambda: road.segment(photo.read_bytes()).status_code == 200, "recovery")


def test_a_publish_killed_half_way_is_never_picked_up(road: Road, photo: Path, small_models_root: Path) -> None:
    before = road.segment(photo.read_bytes()).headers["x-model-version"]
    export = [sys.executable, "-m", "trainer", "export", "--run", "run", "--name", "small", "--models-root"]
    export.append(str(road.models_root))
    publisher = subprocess.Popen(export, cwd=small_models_root.parent)
    wait_for(lambda: list((road.models_root / "small").glob(".tmp-*/saved_model.pb")), "the half-written version")
    publisher.send_signal(signal.SIGKILL)
    publisher.wait()

    assert [str(v) for v in versions(road.models_root, "small")] == [before]
    time.sleep(3)  # serving looks for new versions every second
    assert road.segment(photo.read_bytes()).headers["x-model-version"] == before

    subprocess.run(export, cwd=small_models_root.parent, check=True)  # and the next publisher is not disturbed
    wait_for(
        lambda: road.segment(photo.read_bytes()).headers["x-model-version"] == str(int(before) + 1),
        "the new version, served without a restart",
    )
    states = {v["version"]: v["state"] for v in road.http.get("/models/small").json()["versions"]}
    assert states[int(before) + 1] == "AVAILABLE", json.dumps(states)
    assert not list((road.models_root / "small").glob(".tmp-*"))
