"""Reading a pair, or naming the unusable file."""

import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.pair import read_pair
from trainer.errors import UserError

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "apple", (220, 40, 50)))
IMAGE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
MASK = np.array([[0, 1, 1, 0, 255]] * 4, np.uint8)


@pytest.fixture
def read(tmp_path, write_files):
    """``read(image, mask)``: that pair, written and read."""

    def written(image, mask):
        write_files(tmp_path, {"images/a.png": image, "masks/a.png": mask})
        return read_pair(Dataset(tmp_path, CLASSES, ()), Item("a", "images/a.png", "masks/a.png"))

    return written


def test_image_is_rgb_and_mask_is_class_ids(read):
    pair = read(IMAGE, MASK)
    np.testing.assert_array_equal(pair.image, IMAGE)
    np.testing.assert_array_equal(pair.mask, MASK)


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (IMAGE, b"", r"images/a\.png or masks/a\.png cannot be read"),
        (b"no image", MASK, r"images/a\.png or masks/a\.png cannot be read"),
        (IMAGE, MASK[:3], r"masks/a\.png: is uint8 \(3, 5\), expected uint8 \(4, 5\) as its image"),
        (IMAGE, IMAGE, r"masks/a\.png: is uint8 \(4, 5, 3\), expected"),
        (IMAGE, MASK.astype(np.uint16), r"masks/a\.png: is uint16 \(4, 5\), expected"),
    ],
    ids=["no mask", "no image", "another size", "colours", "16 bits"],
)
def test_unusable_file_is_named(read, image, mask, message):
    with pytest.raises(UserError, match=message):
        read(image, mask)
