"""``python -m trainer evaluate|predict`` of a model on the real server gives the metrics of the local folder."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.commands.cli import main

pytestmark = pytest.mark.gateway


@pytest.fixture(scope="module")
def address(lay_road, small_models_root: Path) -> str:
    """The gRPC address of serving; no gateway takes part."""
    road = lay_road(small_models_root)
    road.start_serving()
    road.wait_until_serving_listens()
    return road.serving_address


@pytest.fixture
def trainer(capsys: pytest.CaptureFixture, small_models_root: Path):
    """``trainer(…)``: exit status, standard output, standard error of a command."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("target", ["small", "small:1"])
def test_served_model_has_the_metrics_of_its_folder(trainer, address, small_models_root, target) -> None:
    words = ["evaluate", "--data", small_models_root.parent / "data", "--json", "--no-time", "--flip"]
    _, folder, _ = trainer(*words, "--model", small_models_root / "small/1")
    status, served, _ = trainer(*words, "--model", target, "--serving", address)
    assert status == 0
    folder, served = json.loads(folder), json.loads(served)
    assert served["model"].pop("name") == f"small:1 at {address}"
    folder["model"].pop("name")
    assert served["miou"] == pytest.approx(folder["miou"], abs=1e-3)
    assert served["model"] == folder["model"]
    assert np.sum(served["confusion"]) == np.sum(folder["confusion"])


def test_served_model_segments_an_image(trainer, address, photo, tmp_path) -> None:
    words = ["predict", photo, "--model", "small", "--serving", address, "--output", tmp_path / "out.png"]
    assert trainer(*words)[0] == 0
    assert cv2.imread(str(tmp_path / "out.png")).shape == (96, 128, 3)


@pytest.mark.parametrize("target", ["nobody", "small:7", "small@stable"])
def test_model_that_is_not_served_is_an_error(trainer, address, small_models_root, target) -> None:
    data = small_models_root.parent / "data"
    status, out, err = trainer("evaluate", "--data", data, "--model", target, "--serving", address)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith(f"trainer: serving at {address} has no {target}: ")
