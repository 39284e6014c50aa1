"""Images, masks and instance masks in folders."""

import numpy as np
import pytest

from trainer.augmentation.labelled_source import labelled_files
from trainer.errors import UserError

LABELMAP = "apple:220,40,50::\nbackground:0,0,0::\n"
RED, BLACK = (220, 40, 50), (0, 0, 0)
MASK = np.array([[BLACK, RED], [RED, RED]], np.uint8)
OBJECTS = np.array([[BLACK, (128, 0, 0)], [(0, 128, 0), (0, 128, 0)]], np.uint8)
IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@pytest.fixture
def folders(tmp_path, write_files):
    """Images, masks, instance masks and the label map, as arguments."""
    files = {"rgb/a.png": IMAGE, "gt/a_mask.png": MASK, "objects/a_mask.png": OBJECTS, "labelmap.txt": LABELMAP}
    write_files(tmp_path, files)
    return tmp_path / "rgb", tmp_path / "gt", tmp_path / "labelmap.txt", tmp_path / "objects"


def test_masks_become_class_ids_and_instance_ids(folders):
    (image,), classes = labelled_files(*folders)
    pair = image.read()
    assert [c.name for c in classes] == ["background", "apple"]
    np.testing.assert_array_equal(pair.image, IMAGE)
    np.testing.assert_array_equal(pair.mask, [[0, 1], [1, 1]])
    assert pair.instances[0, 0] == 0
    assert pair.instances[0, 1] != pair.instances[1, 0] == pair.instances[1, 1] != 0


def test_no_instances_without_instance_masks(folders):
    (image,), _ = labelled_files(*folders[:3])
    assert image.read().instances is None


def test_sizes_must_agree(folders, write_files):
    write_files(folders[1], {"a_mask.png": MASK[:1]})
    (image,), _ = labelled_files(*folders)
    with pytest.raises(UserError, match=r"a_mask\.png: is 2x1 but its image is 2x2"):
        image.read()


def test_folders_without_a_common_name_are_a_user_error(folders, write_files):
    (folders[1] / "a_mask.png").rename(folders[1] / "b.png")
    with pytest.raises(UserError, match=r"no mask in .*gt has the name of an image in .*rgb"):
        labelled_files(*folders)


def test_unknown_colour_is_a_user_error(folders, write_files):
    write_files(folders[1], {"a_mask.png": np.full((2, 2, 3), 9, np.uint8)})
    (image,), _ = labelled_files(*folders)
    with pytest.raises(UserError, match="not in the label map"):
        image.read()


def test_instance_masks_of_other_names_are_a_user_error(folders):
    (folders[3] / "a_mask.png").rename(folders[3] / "a.png")
    with pytest.raises(UserError, match=r"no instance mask in .*objects has the name of a mask in .*gt: name each"):
        labelled_files(*folders)


def test_images_without_mask_are_printed(folders, write_files, capsys):
    write_files(folders[0], {"b.png": IMAGE})
    labelled, _ = labelled_files(*folders)
    assert [image.id for image in labelled] == ["a"]
    assert capsys.readouterr().err == "1 of 2 images have no mask; skipped: b\n"


def test_jpeg_masks_are_a_user_error(folders, write_files):
    write_files(folders[1], {"a_mask.jpg": MASK[..., 0]})
    (folders[1] / "a_mask.png").unlink()
    with pytest.raises(UserError, match=r"a_mask\.jpg: is a mask in a lossy format"):
        labelled_files(*folders)
