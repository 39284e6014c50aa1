"""Cityscapes from its official zips and folders."""

import cv2
import numpy as np
import pytest

from trainer.datasets.dataset import load_dataset
from trainer.datasets.validation import validate
from trainer.errors import UserError
from trainer.sources.cityscapes import CLASSES, LABEL_IDS, import_cityscapes

IMAGE = np.full((5, 7, 3), 90, np.uint8)
LABELS = np.arange(35, dtype=np.uint8).reshape(5, 7) % 34  # every label id, and 0 once more
# Train ids by label id, as the official scripts list them.
TRAIN_ID = (
    [255] * 7 + [0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255] + list(range(6, 17 - 1)) + [255, 255, 16, 17, 18]
)

FRAMES = {
    "train/aachen/aachen_000000_000019": "train",
    "train/zurich/zurich_000121_000019": "train",
    "val/lindau/lindau_000000_000019": "validation",
    "test/berlin/berlin_000000_000019": None,
}


def images(frames=FRAMES):
    return {f"leftImg8bit/{frame}_leftImg8bit.png": IMAGE for frame in frames}


def labels(kind="labelIds", mask=LABELS, frames=FRAMES):
    return {f"gtFine/{frame}_gtFine_{kind}.png": mask for frame in frames}


@pytest.fixture
def imported(tmp_path, write_files):
    """``imported(files)``: report, data set and masks by id."""

    def run(files):
        write_files(tmp_path / "cityscapes", files)
        report = import_cityscapes([tmp_path / "cityscapes"], tmp_path / "out")
        dataset = load_dataset(tmp_path / "out")
        return report, dataset, {i.id: cv2.imread(str(dataset.root / i.mask), 0) for i in dataset.items}

    return run


def test_the_19_classes():
    assert len(CLASSES) == 19
    assert [(c.name, c.color) for c in CLASSES][:2] == [("road", (128, 64, 128)), ("sidewalk", (244, 35, 232))]
    assert CLASSES[18].name == "bicycle"
    np.testing.assert_array_equal(LABEL_IDS.ids(np.arange(34, dtype=np.uint8)[None], "a")[0], TRAIN_ID)


def test_label_ids_become_train_ids_and_others_are_ignored(imported):
    report, dataset, masks = imported(images() | labels())
    assert {i.id: i.split for i in dataset.items} == {
        frame.split("/")[-1]: split for frame, split in FRAMES.items() if split
    }
    for mask in masks.values():
        np.testing.assert_array_equal(mask, np.array(TRAIN_ID, np.uint8)[LABELS])
    assert report.splits == {"train": 2, "validation": 1}
    assert "1 test image skipped" in str(report)


def test_validation_is_the_last_split(imported):
    _, dataset, _ = imported(images() | labels())
    assert dataset.splits == ("train", "validation")
    assert not [fault for fault in validate(dataset).errors if "no image falls" in fault.what]


def test_train_ids_are_kept(imported):
    train_ids = np.where(LABELS < 19, LABELS, 255).astype(np.uint8)
    _, _, masks = imported(images() | labels("labelTrainIds", train_ids))
    np.testing.assert_array_equal(masks["aachen_000000_000019"], train_ids)


def test_label_ids_are_preferred_to_train_ids(imported):
    """The script that makes train ids invites users to change them."""
    _, _, masks = imported(images() | labels() | labels("labelTrainIds", np.zeros_like(LABELS)))
    np.testing.assert_array_equal(masks["aachen_000000_000019"], np.array(TRAIN_ID, np.uint8)[LABELS])


@pytest.mark.parametrize("in_one_folder", [True, False])
def test_from_the_official_zips(tmp_path, write_files, zip_bytes, in_one_folder):
    zips = tmp_path / "downloads"
    zips.mkdir()
    for name, files in (("leftImg8bit", images()), ("gtFine", labels())):
        folder = write_files(tmp_path / name, {"README": "", **files})
        (zips / f"{name}_trainvaltest.zip").write_bytes(zip_bytes(folder))
    report = import_cityscapes([zips] if in_one_folder else sorted(zips.iterdir()), tmp_path / "out")
    assert report.images == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (images(), r"cityscapes: no labels of Cityscapes; expected gtFine_trainvaltest\.zip"),
        (labels(), r"cityscapes: no images of Cityscapes; expected leftImg8bit_trainvaltest\.zip"),
        ({"rgb/a.png": IMAGE}, "cityscapes: does not contain leftImg8bit or gtFine; expected Cityscapes' own zips"),
        (images() | labels(frames=["train/aachen/aachen_000001_000019"]), "no label belongs to an image"),
        (
            images() | labels(mask=LABELS + 1),
            "3 of 3 labels .*aachen_000000_000019_gtFine_labelIds.png: 1 pixels have va",
        ),
    ],
)
def test_other_folders_are_a_user_error(imported, tmp_path, files, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        imported(files)
    assert not (tmp_path / "out").exists()


def test_image_without_labels_is_skipped_and_reported(imported):
    report, _, _ = imported(images() | labels(frames=list(FRAMES)[1:]))
    assert report.unlabelled == ["aachen_000000_000019"]


def test_image_in_two_splits_is_a_user_error(imported, tmp_path):
    frames = {**FRAMES, "val/aachen/aachen_000000_000019": "validation"}
    with pytest.raises(UserError, match=r"aachen_000000_000019_leftImg8bit\.png is in the split train too"):
        imported(images(frames) | labels(frames=frames))
    assert not (tmp_path / "out").exists()
