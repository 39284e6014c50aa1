"""``python -m trainer`` and ``segstack data`` as processes that receive a signal."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segstack_testing.waiting import wait_until

IMAGES = 600  # far more than are read before the signal comes


@pytest.fixture
def export(tmp_path, write_files):
    """An export of many frames, all one file."""
    folder = write_files(
        tmp_path / "export",
        {
            "labelmap.txt": "background:0,0,0::\napple:220,40,50::\n",
            "ImageSets/Segmentation/default.txt": "".join(f"{number}\n" for number in range(IMAGES)),
            "JPEGImages/0.png": np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8),
            "SegmentationClass/0.png": np.full((700, 900, 3), (220, 40, 50), np.uint8),
        },
    )
    for number in range(1, IMAGES):
        os.link(folder / "JPEGImages/0.png", folder / f"JPEGImages/{number}.png")
    return folder


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ([sys.executable, "-m", "trainer", "data"], "trainer"),
        ([Path(sys.executable).with_name("segstack"), "data"], "segstack data import cvat"),
    ],
    ids=["python -m trainer", "segstack"],
)
def test_sigterm_leaves_nothing_half_written(export, tmp_path, command, program):
    words = [*command, "import", "cvat", export, "--output", tmp_path / "new" / "set"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: list(tmp_path.glob("new/.tmp-*/images/*")), 60, "the first written image")
        process.terminate()
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message.endswith(f"{program}: stopped\n")
    assert not list((tmp_path / "new").iterdir())
