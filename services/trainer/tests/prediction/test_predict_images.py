"""Images are segmented at their own size, and a broken one does not stop the others."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from trainer.inference.tta import PLAIN
from trainer.prediction.inputs import Job
from trainer.prediction.predict_images import predict_images
from trainer.prediction.render_style import RenderStyle


@pytest.fixture
def jobs(tmp_path, write_files):
    """Seven images of which two are broken; half of each of the others is bright."""
    half = np.zeros((20, 30, 3), np.uint8)
    half[:, 15:] = 250
    images = {f"in/{n}.png": np.vstack([half] * (n + 1)) for n in range(5)}
    write_files(tmp_path, {**images, "in/cut.png": b"\x89PNG", "in/empty.jpg": b""})
    return [Job(path, tmp_path / "out" / f"{path.stem}.png") for path in sorted((tmp_path / "in").iterdir())]


def test_readable_images_are_segmented_and_the_others_listed(bright, jobs, tmp_path):
    faults = predict_images(bright, jobs, RenderStyle("mask"), PLAIN, batch_size=2)
    assert [Path(fault.split(":")[0]).name for fault in faults] == ["cut.png", "empty.jpg"]
    assert all(fault.endswith(": cannot be decoded as an image") for fault in faults)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{n}.png" for n in range(5)]
    for number in range(5):
        mask = np.asarray(Image.open(tmp_path / f"out/{number}.png"))
        assert mask.shape == (20 * (number + 1), 30)
        np.testing.assert_array_equal(mask, np.tile([0] * 15 + [1] * 15, (len(mask), 1)))


def test_missing_file_is_listed(bright, jobs):
    jobs[0].source.unlink()
    assert predict_images(bright, jobs[:2], RenderStyle(), PLAIN) == [
        f"{jobs[0].source}: cannot be read (No such file or directory)"
    ]


def test_image_is_turned_by_its_exif_orientation(bright, tmp_path):
    half = np.zeros((20, 30, 3), np.uint8)
    half[:, 15:] = 250
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    Image.fromarray(half).save(tmp_path / "phone.jpg", exif=exif)
    predict_images(bright, [Job(tmp_path / "phone.jpg", tmp_path / "out.png")], RenderStyle("color"), PLAIN)
    seen = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_COLOR_RGB)
    assert seen.shape == (30, 20, 3)
    assert (seen[16:] == (200, 0, 100)).all()
    assert (seen[:14] == 0).all()
