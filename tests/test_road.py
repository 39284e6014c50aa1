"""From a published model to a mask over HTTP, through the real embedded server and the real gateway."""

import json
import shutil
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from contract import ModelCard, versions
from contract.folders import CARD_PATH
from segstack_testing.waiting import scaled


@pytest.fixture(scope="module")
def card(small_models_root: Path) -> ModelCard:
    return ModelCard.from_json((small_models_root / "small/1" / CARD_PATH).read_text())


def error_of(response: httpx.Response) -> dict:
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"code", "message", "detail"}
    return error


def test_curl_gets_an_indexed_png_of_the_photos_size(road, photo: Path, card: ModelCard, tmp_path: Path) -> None:
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


def test_mask_equals_the_published_graphs(road, small_models_root: Path, photo: Path, card: ModelCard) -> None:
    pixels = cv2.resize(cv2.imread(str(photo), cv2.IMREAD_COLOR_RGB), (card.input_width, card.input_height))
    graph = tf.saved_model.load(str(small_models_root / "small/1")).signatures["serving_default"]
    expected = graph(image=tf.constant(pixels[None]))["mask"].numpy()[0]
    assert len(np.unique(expected)) > 1, "a mask of one class would prove nothing"

    response = road.segment(photo.read_bytes(), size="model")

    assert response.status_code == 200
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(response.content))), expected)


@pytest.mark.parametrize("output", ["color", "overlay", "json"])
def test_every_other_form(road, photo: Path, card: ModelCard, output: str) -> None:
    response = road.segment(photo.read_bytes(), output=output)
    assert response.status_code == 200
    if output == "json":
        assert {c["name"] for c in response.json()["classes"]} <= {c.name for c in card.classes}
    else:
        assert Image.open(BytesIO(response.content)).size == (128, 96)


def test_model_card_reaches_the_gateway(road, card: ModelCard) -> None:
    model = road.http.get("/models/small").json()
    assert model["metrics"]["miou"] == card.metrics.miou
    assert [c["name"] for c in model["classes"]] == [c.name for c in card.classes]


def test_bad_requests_get_documented_errors_and_do_no_harm(road, photo: Path) -> None:
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


def test_gateway_has_not_loaded_tensorflow(road) -> None:
    maps = Path(f"/proc/{road.gateway.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    assert "libtensorflow" not in maps.read_text()


def test_recovers_after_a_restart_of_serving(road, photo: Path, wait_for) -> None:
    road.serving.terminate()
    assert road.serving.wait(scaled(15)) == 0

    away = road.segment(photo.read_bytes())
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
    assert "serving" in error_of(away)["message"].lower()
    assert road.http.get("/readyz").status_code == 503
    assert road.http.get("/livez").status_code == 200

    road.start_serving()
    wait_for(lambda: road.segment(photo.read_bytes()).status_code == 200, "recovery")


@pytest.mark.gateway
def test_publish_that_is_killed_is_never_served(road, photo: Path, small_models_root: Path, wait_for) -> None:
    before = road.segment(photo.read_bytes()).headers["x-model-version"]
    export = [sys.executable, "-m", "trainer", "export", "--run", "run", "--name", "small", "--models-root"]
    export.append(str(road.models_root))
    publisher = subprocess.Popen(export, cwd=small_models_root.parent)
    wait_for(lambda: list((road.models_root / "small").glob(".tmp-*/saved_model.pb")), "the half-written version")
    publisher.send_signal(signal.SIGKILL)
    publisher.wait()

    assert [str(v) for v in versions(road.models_root, "small")] == [before]
    time.sleep(3)  # serving polls for new versions every second
    assert road.segment(photo.read_bytes()).headers["x-model-version"] == before

    subprocess.run(export, cwd=small_models_root.parent, check=True)  # the next publish succeeds
    wait_for(
        lambda: road.segment(photo.read_bytes()).headers.get("x-model-version") == str(int(before) + 1),
        "the new version, served without a restart",
    )
    states = {v["version"]: v["state"] for v in road.http.get("/models/small").json()["versions"]}
    assert states[int(before) + 1] == "AVAILABLE", json.dumps(states)
    assert not list((road.models_root / "small").glob(".tmp-*"))
