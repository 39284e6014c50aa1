"""Blank masks for images without objects."""

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.sources.blank_masks import BlankMasks, make_blank_masks

PHOTO = np.full((4, 6, 3), 90, np.uint8)


@pytest.fixture
def images(tmp_path, write_files):
    return write_files(tmp_path / "rgb", {"a.jpg": PHOTO, "day 1/b.png": PHOTO[:, :3], "notes.txt": ""})


def test_every_image_gets_a_mask_of_its_size(images, tmp_path):
    assert make_blank_masks(images, tmp_path / "gt") == BlankMasks(written=2, kept=0)
    for name, shape in (("a", (4, 6)), ("day 1/b", (4, 3))):
        mask = cv2.imread(str(tmp_path / f"gt/{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, np.zeros(shape, np.uint8))
        assert mask.dtype == np.uint8


@pytest.mark.parametrize("name", ["a.png", "a_mask.png", "a_label.tif"])
def test_existing_mask_is_kept(images, tmp_path, write_files, name):
    write_files(tmp_path / "gt", {name: b"drawn by hand"})
    assert make_blank_masks(images, tmp_path / "gt") == BlankMasks(written=1, kept=1)
    assert (tmp_path / "gt" / name).read_bytes() == b"drawn by hand"
    assert make_blank_masks(images, tmp_path / "gt") == BlankMasks(written=0, kept=2)


def test_unreadable_image_is_named(images, tmp_path, write_files):
    write_files(images, {"z.jpg": b""})
    with pytest.raises(UserError, match=r"z\.jpg: cannot be decoded as an image"):
        make_blank_masks(images, tmp_path / "gt")
    assert sorted(p.name for p in (tmp_path / "gt").rglob("*.png")) == ["a.png", "b.png"]


def test_folder_without_images_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        make_blank_masks(tmp_path / "nowhere", tmp_path / "gt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: contains no image"):
        make_blank_masks(tmp_path / "empty", tmp_path / "gt")
