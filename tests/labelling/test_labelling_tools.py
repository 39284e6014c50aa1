"""``rle=cvat`` and ``rle=labelstudio`` are read by the tools' own packages, in a separate environment."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway.results import rle
from gateway.results.regions import regions

HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def python(run_apart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("labelling") / "environment"
    run_apart(UV, "venv", "--quiet", "--python", sys.executable, environment)
    install = [UV, "pip", "install", "--quiet", "--python", environment / "bin/python"]
    run_apart(*install, "--no-deps", "--require-hashes", "--requirements", HERE / "requirements.lock")
    return environment / "bin/python"


def test_cvat_and_label_studio_read_every_class_back(run_apart, python: Path, tmp_path: Path) -> None:
    chance = np.random.default_rng(8)
    masks = [
        np.zeros((1, 1), np.uint8),
        np.ones((40, 60), np.uint8),
        np.kron(chance.integers(0, 3, (5, 7), np.uint8), np.ones((40, 60), np.uint8)),
        chance.integers(0, 4, (37, 53), np.uint8),
    ]
    found = [(mask, region) for mask in masks for region in regions(mask, ignore_id=255)]
    encoded = [
        {
            "width": mask.shape[1],
            "height": mask.shape[0],
            "cvat": rle.cvat(region.runs, region.bounding_box, mask.shape[1]),
            "labelstudio": rle.label_studio(region.runs, mask.size),
        }
        for mask, region in found
    ]
    (tmp_path / "encoded.json").write_text(json.dumps(encoded))
    run_apart(python, HERE / "read_back.py", tmp_path / "encoded.json", tmp_path / "decoded.json")
    for (mask, region), read in zip(found, json.loads((tmp_path / "decoded.json").read_text()), strict=True):
        for tool in ("cvat", "labelstudio"):
            assert np.array_equal(np.array(read[tool]), mask == region.class_id), (tool, mask.shape, region.class_id)
