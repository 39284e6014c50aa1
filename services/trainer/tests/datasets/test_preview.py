"""The preview sheet: which images are on it, and that its masks are the data set's."""

import cv2
import numpy as np
import pytest

from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.drawing import GAP, MARGIN
from trainer.datasets.preview import Sample, preview
from trainer.errors import UserError

HEIGHT, WIDTH = 64, 96  # of the drawn set's images: panels of this width show a mask pixel by pixel


@pytest.fixture
def sheet(dataset, tmp_path):
    """``sheet(Sample(…))``: the ids shown, and the sheet, RGB."""

    def draw(sample, panel_width=WIDTH, dataset=dataset):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        shown = preview(dataset, path, sample, panel_width)
        return [item.id for item in shown], cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)

    return draw


def pixels_of(photo, color):
    return int((photo == np.array(color, np.uint8)).all(axis=2).sum())


class TestSample:
    def test_seed_chooses_the_images(self, sheet):
        first, again, other = (sheet(Sample(images=5, seed=seed))[0] for seed in (1, 1, 2))
        assert len(first) == 5
        assert first == again != other

    def test_small_set_is_shown_completely(self, sheet, dataset):
        assert sheet(Sample(split="test", images=99))[0] == [item.id for item in dataset.split("test")]

    def test_only_images_with_one_of_the_classes(self, sheet, dataset):
        shown, _ = sheet(Sample(images=500, classes=["apple", "4"]))
        masks = {i.id: cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.items}
        assert shown == [i for i, mask in masks.items() if np.isin(mask, [1, 4]).any()]
        assert 0 < len(shown) < len(dataset.items)

    def test_unusable_pair_is_skipped(self, sheet, dataset):
        gone = Item("gone", "images/gone.png", "masks/gone.png")
        shown, _ = sheet(Sample(images=500), dataset=Dataset(dataset.root, dataset.classes, (*dataset.items, gone)))
        assert shown == [item.id for item in dataset.items]


class TestSheet:
    def test_two_items_per_row_with_image_mask_and_overlay(self, sheet):
        _, photo = sheet(Sample(images=3, split="train"))
        assert photo.shape[1] == 2 * (3 * WIDTH + 2 * GAP) + 2 * GAP + 2 * MARGIN

    def test_masks_on_the_sheet_equal_the_data_set_s(self, sheet, dataset, masks_on_sheet):
        shown, photo = sheet(Sample(images=500))
        ids = [cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED).ravel() for i in dataset.items]
        colors = np.array([c.color for c in dataset.classes], np.uint8)[np.concatenate(ids)]
        np.testing.assert_array_equal(masks_on_sheet(photo, len(shown), HEIGHT, WIDTH), colors)

    def test_tall_image_is_narrower_and_large_one_smaller(self, sheet, dataset, tmp_path, write_files):
        mask = np.zeros((900, 300), np.uint8)
        mask[:453] = 1
        mask[453:600] = 3
        write_files(tmp_path / "tall", {"images/a.png": np.full((900, 300, 3), 90, np.uint8), "masks/a.png": mask})
        tall = Dataset(tmp_path / "tall", dataset.classes, (Item("日本/a", "images/a.png", "masks/a.png"),))
        _, photo = sheet(Sample(), 120, tall)
        height, width = 150, 50
        apple, between, leaf = (c.color for c in dataset.classes[1:4])
        below_legend = photo[-height - 3 * MARGIN :]
        assert pixels_of(below_legend, apple) == height // 2 * width
        assert pixels_of(below_legend, leaf) == height // 6 * width
        assert pixels_of(below_legend, between) == 0  # labels are never interpolated
        assert photo.shape[1] == 3 * 120 + 2 * GAP + 2 * MARGIN


class TestErrors:
    @pytest.mark.parametrize(
        ("sample", "message"),
        [
            (Sample(split="val"), "there is no split 'val': choose one of train, validation, test"),
            (Sample(images=0), "--images 0: expected 1 to 500"),
            (Sample(seed=-1), "--seed -1: expected 0 or more"),
            (Sample(classes=["pear"]), "--classes pear: not found; the classes are 0 background, 1 apple, 2 b"),
        ],
    )
    def test_invalid_sample(self, sheet, sample, message):
        with pytest.raises(UserError, match=message):
            sheet(sample)

    def test_class_without_images(self, sheet, tmp_path, dataset, write_files):
        write_files(tmp_path / "set", {"i/a.png": np.zeros((9, 9, 3), np.uint8), "m/a.png": np.zeros((9, 9), np.uint8)})
        empty = Dataset(tmp_path / "set", dataset.classes, (Item("a", "i/a.png", "m/a.png"),))
        with pytest.raises(UserError, match="the data set contains no usable images with apple"):
            sheet(Sample(classes=["apple"]), dataset=empty)

    def test_too_small_width(self, sheet):
        with pytest.raises(UserError, match="--width 8: expected 32 pixels or more"):
            sheet(Sample(), 8)

    @pytest.mark.parametrize(
        ("name", "message"),
        [("taken.png", "exists already: name another file"), ("sheet.jpg", "name that ends in .png")],
    )
    def test_invalid_output(self, dataset, tmp_path, name, message):
        (tmp_path / "taken.png").write_text("mine")
        with pytest.raises(UserError, match=message):
            preview(dataset, tmp_path / name, Sample())
        assert (tmp_path / "taken.png").read_text() == "mine"
