"""Errors and warnings about a data set, each with the file and the remedy."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.validation import require_valid, validate
from trainer.errors import UserError

CLASSES = (
    ClassInfo(0, "background", (0, 0, 0)),
    ClassInfo(1, "apple", (220, 40, 50)),
    ClassInfo(2, "leaf", (0, 90, 0)),
)
HEIGHT, WIDTH = 48, 64
SPLIT_OF = {"a": "train", "b": "train", "c": "validation", "d": "test"}
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[8:20, 8:20] = 1
MASK[30:40, 30:50] = 2
DOUBLE_SIZE = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
DOUBLE_SIZE[31:61, 41:81] = 2


def photo(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


SOUND = {f"images/{i}.png": photo(n) for n, i in enumerate(SPLIT_OF)} | {f"masks/{i}.png": MASK for i in SPLIT_OF}


@pytest.fixture
def a_set(tmp_path, write_files):
    """``a_set({"masks/a.png": …}, without=[…], source_splits=True)``: four sound pairs but for these changes."""

    def make(changes=None, without=(), source_splits=False, **fields):
        write_files(tmp_path, {name: c for name, c in (SOUND | (changes or {})).items() if name not in without})
        # A group that the seed puts where the test wants it, unless the source has split.
        groups = {"train": "1", "validation": "7", "test": "15"}
        items = tuple(
            Item(i, f"images/{i}.png", f"masks/{i}.png", split=s) if source_splits
            else Item(i, f"images/{i}.png", f"masks/{i}.png", group=groups[s])
            for i, s in SPLIT_OF.items()
        )  # fmt: skip
        dataset = dataclasses.replace(Dataset(tmp_path, CLASSES, items), **fields)
        if not fields:
            assert [dataset.split_of(item) for item in items] == list(SPLIT_OF.values())
        return dataset

    return make


def sentences(faults):
    return [str(fault) for fault in faults]


class TestValidDataset:
    def test_has_neither_errors_nor_warnings(self, a_set):
        report = validate(a_set())
        assert (sentences(report.errors), sentences(report.warnings)) == ([], [])

    def test_labels_are_counted_by_split(self, a_set):
        report = validate(a_set({"masks/b.png": np.where(MASK == 2, 255, MASK).astype(np.uint8)}))
        per_image = [HEIGHT * WIDTH - 344, 144, 200]
        assert report.labels["train"].counts.tolist() == [per_image, [per_image[0], 144, 0]]
        assert report.labels["train"].ignored == 200
        assert report.labels["test"].counts.tolist() == [per_image]

    def test_drawn_set_is_valid(self, dataset):
        assert require_valid(dataset).warnings == ()

    def test_class_weights_are_suggested_from_training_images(self, a_set):
        weights = validate(a_set()).class_weights()
        assert set(weights) == {"median_frequency", "enet"}
        assert weights["median_frequency"][2] == 1  # of three classes in every image, the middle one
        background, apple, leaf = weights["enet"]
        assert background < leaf < apple


class TestErrors:
    """Faults that would make a training fail, or its metrics wrong."""

    @pytest.mark.parametrize(
        ("changes", "without", "expected"),
        [
            ({}, ["images/a.png"], "images/a.png: is missing; restore the file, or import the data set again"),
            ({"masks/a.png": b"PNG?"}, [], "masks/a.png: is not PNG, despite its name; import the labels again"),
            ({"masks/a.png": MASK[::2]}, [], "masks/a.png: is 64x24 but images/a.png is 64x48 (width x height); "),
            (
                {"masks/a.png": np.where(MASK == 2, 7, MASK).astype(np.uint8)}, [],
                "masks/a.png: 200 pixels have values outside the classes 0 to 2, most often 7; add the missing class",
            ),
            (
                {"masks/a.png": cv2.GaussianBlur(MASK * 100, (9, 9), 3)}, [],
                "such values indicate interpolation or JPEG: import the original masks",
            ),
            (
                {"images/d.png": SOUND["images/a.png"]}, [],
                "images/a.png: (train) has the same pixels as images/d.png (test); keep one of them, or import with a",
            ),
        ],
    )  # fmt: skip
    def test_one_invalid_file_is_one_error(self, a_set, changes, without, expected):
        (error,) = sentences(validate(a_set(changes, without)).errors)
        assert expected in error

    def test_every_error_is_one_line(self, a_set):
        report = validate(a_set({"masks/b.png": MASK + 5}, without=["images/a.png", "masks/c.png"]))
        assert [fault.file for fault in report.errors] == ["images/a.png", "masks/c.png", "masks/b.png"]
        assert all("\n" not in line for line in sentences(report.errors))

    def test_objects_with_value_255_are_an_error(self, a_set):
        """Ignored everywhere: nothing but background is left to learn."""
        painted = np.where(MASK, 255, 0).astype(np.uint8)
        (error,) = sentences(validate(a_set({f"masks/{i}.png": painted for i in SPLIT_OF})).errors)
        assert error == (
            "dataset.json: every labelled pixel of the training images is 'background', and 688 pixels are 255, which "
            "is ignored; label objects; if 255 is a class here, import it as a class"
        )

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"classes": CLASSES[1:]}, "dataset.json: has the class ids [1, 2]; expected 0 to 1 in order"),
            (
                {"classes": (*CLASSES, ClassInfo(3, "leaf", (9, 9, 9)))},
                "dataset.json: contains the class 'leaf' 2 times; give each its own name",
            ),
            (
                {"items": (Item("a", "images/a.png", "masks/a.png", split="train"),
                           Item("d", "images/d.png", "masks/d.png", split="test"))},
                "dataset.json: no image is in the validation split; label more images, or import with a different --sp"
                "lit-seed",
            ),
            (
                {"items": (Item("a", "images/a.png", "masks/a.png"),) * 2},
                "dataset.json: contains the image id 'a' 2 times; give each its own name",
            ),
            (
                {"items": (Item("a", "../a.png", "masks/a.png"),)},
                "dataset.json: names '../a.png', which leaves the data set's folder; import the data set again",
            ),
        ],
    )  # fmt: skip
    def test_inconsistent_index_is_an_error(self, a_set, fields, expected):
        assert sentences(validate(a_set(**fields)).errors) == [expected]


class TestWarnings:
    """They do not stop a training."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (
                {"masks/b.png": np.full_like(MASK, 255)},
                "masks/b.png: is ignored everywhere, so nothing is learned from it; label it, or remove it",
            ),
            (
                {"masks/b.png": cv2.resize(DOUBLE_SIZE, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)},
                "masks/b.png: has other classes' ids along its borders, as after interpolation; look at it with",
            ),
            (
                {"images/b.png": SOUND["images/a.png"]},
                "images/a.png: (train) has the same pixels as images/b.png (train); keep one of them, unless it should",
            ),
            (
                {"images/d.png": np.clip(SOUND["images/a.png"].astype(int) + 3, 0, 255).astype(np.uint8)},
                "images/d.png: (test) looks like images/a.png (train), one of 1 such images in test; if they are",
            ),
            (
                {"masks/d.png": np.where(MASK == 1, 0, MASK).astype(np.uint8)},
                "dataset.json: the class 'apple' is in no mask of test, so its quality cannot be measured there; label",
            ),
            (
                {f"masks/{i}.png": np.where(MASK == 1, 0, MASK).astype(np.uint8) for i in "ab"},
                "dataset.json: the class 'apple' is in no mask of train, so it cannot be learned; label more images",
            ),
            (
                {f"masks/{i}.png": np.where(MASK == 1, 0, MASK).astype(np.uint8) for i in SPLIT_OF},
                "dataset.json: the class 'apple' is in no mask; label some, or remove the class",
            ),
            (
                {"images/old/e.png": photo(9), "images/f.png": photo(8), "images/.DS_Store": b""},
                "images: contains 2 files that dataset.json does not name, for instance images/f.png; remove them, or",
            ),
        ],
    )  # fmt: skip
    def test_doubtful_data_is_a_warning(self, a_set, changes, expected):
        report = validate(a_set(changes))
        assert sentences(report.errors) == []
        (warning,) = sentences(report.warnings)
        assert warning.startswith(expected)

    def test_identical_images_in_the_source_s_splits_are_a_warning(self, a_set):
        report = validate(a_set({"images/d.png": SOUND["images/a.png"]}, source_splits=True))
        assert sentences(report.errors) == []
        assert sentences(report.warnings)[0].startswith(
            "images/a.png: (train) has the same pixels as images/d.png (test)"
        )


class TestBeforeTraining:
    def test_errors_stop_training_and_the_first_are_shown(self, a_set):
        dataset = a_set({f"masks/{i}.png": MASK + 5 for i in SPLIT_OF})
        with pytest.raises(UserError) as refusal:
            require_valid(dataset)
        first, *files = str(refusal.value).splitlines()
        assert first.startswith(f"{dataset.root}: 4 errors in this data set; `segstack data validate ")
        assert [line.split(":")[0] for line in files] == ["  masks/a.png", "  masks/b.png", "  masks/c.png"]

    def test_warnings_are_printed_and_do_not_stop_training(self, a_set, capsys):
        dataset = a_set({"masks/b.png": np.full_like(MASK, 255)})
        assert len(require_valid(dataset).warnings) == 1
        last_line = capsys.readouterr().err.splitlines()[-1]
        assert last_line == f"{dataset.root}: 1 warning; `segstack data validate {dataset.root}` shows it"


class TestReport:
    def test_json_report(self, a_set):
        report = validate(a_set({"masks/a.png": MASK + 5}))
        content = json.loads(json.dumps(report.as_json()))
        assert (content["sound"], content["images"]) == (False, {"train": 2, "validation": 1, "test": 1})
        assert content["errors"][0]["file"] == "masks/a.png"
        assert content["classes"][1] == {
            "id": 1, "name": "apple", "color": [220, 40, 50],
            "pixels": {"train": 144, "validation": 144, "test": 144},
            "images": {"train": 1, "validation": 1, "test": 1},
        }  # fmt: skip

    def test_text_report(self, a_set):
        text = str(validate(a_set({"masks/b.png": np.full_like(MASK, 255)})))
        lines = text.splitlines()
        assert lines[0].split() == ["train", "(2", "images)", "validation", "(1", "images)", "test", "(1", "images)"]
        assert lines[2].split() == ["apple", "4.688%", "in", "1", "4.688%", "in", "1", "4.688%", "in", "1"]
        assert lines[4].split()[:4] == ["(ignored)", "50.000%", "of", "all"]
        assert lines[5].startswith("warning: masks/b.png: is ignored everywhere")
        assert lines[-2].startswith("  class_weights: [0.0")
        assert lines[-2].endswith("# median_frequency")

    def test_long_lists_are_shortened_in_text_only(self, a_set):
        items = tuple(Item(f"{n}", f"images/{n}.png", f"masks/{n}.png") for n in range(30))  # none is there
        report = validate(a_set(items=items))
        assert "error: 40 more; --report FILE writes all" in str(report).splitlines()
        assert len(report.as_json()["errors"]) == 60
