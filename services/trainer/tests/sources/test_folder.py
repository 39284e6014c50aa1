"""Importing images and masks that are paired by name."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError
from trainer.sources.folder import import_folder
from trainer.sources.masks.reader import LabelMapping

HEIGHT, WIDTH = 4, 6
IDS = np.zeros((HEIGHT, WIDTH), np.uint8)
IDS[1:3, 1:3] = 1
IDS[3, 4:] = 2
BINARY = np.where(IDS == 1, 255, 0).astype(np.uint8)
PHOTO = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
COLORS = np.array([(0, 0, 0), (220, 40, 50), (60, 170, 75), (224, 224, 192)], np.uint8)
LABELMAP = "apple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n"


def palette_png(indices, palette=COLORS):
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def imported(tmp_path, write_files):
    """``imported(files, **mapping)``: report, data set and masks by id; ``classes`` is the text of a class file."""

    def run(files, classes=None, classes_name="classes.yaml", layout=None, **mapping):
        write_files(tmp_path / "mine", files)
        if classes is not None:
            mapping["classes"] = tmp_path / "mine" / classes_name
            mapping["classes"].write_text(classes)
        report = import_folder(tmp_path / "mine", tmp_path / "out", LabelMapping(**mapping), **(layout or {}))
        dataset = load_dataset(tmp_path / "out")
        masks = {i.id: cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.items}
        return report, dataset, masks

    return run


def pair(mask, name="gt/a.png"):
    return {"rgb/a.jpg": PHOTO, name: mask}


class TestPairs:
    @pytest.mark.parametrize("name", ["a.png", "a_mask.png", "a_output.png", "a_label.png", "a.tiff", "a.bmp"])
    def test_equal_names_with_a_usual_ending_or_without(self, imported, name):
        _, _, masks = imported(pair(IDS, f"gt/{name}"))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_never_paired_by_position(self, imported):
        files = {f"rgb/{n}.jpg": PHOTO for n in ("1", "2", "10")} | {f"gt/{n}.png": IDS for n in ("10", "3")}
        report, _, masks = imported(files)
        assert list(masks) == ["10"]
        assert (report.unlabelled, report.without_image) == (["1", "2"], ["3"])

    def test_equal_name_is_preferred_to_an_ending(self, imported):
        files = {f"rgb/{n}.jpg": PHOTO for n in ("a", "a_mask")} | {"gt/a.png": IDS, "gt/a_mask.png": IDS.T[:4, :4]}
        with pytest.raises(UserError, match=r"gt/a_mask\.png: is 4x4 but its image is 6x4"):
            imported(files)

    def test_two_masks_of_one_image_are_a_user_error(self, imported):
        with pytest.raises(UserError, match=r"rgb/a\.jpg: has 2 masks \(a_mask, a_label\): keep one"):
            imported(pair(IDS, "gt/a_mask.png") | {"gt/a_label.png": IDS})

    def test_in_sub_folders(self, imported):
        _, _, masks = imported({"rgb/day 1/a.b.jpg": PHOTO, "gt/day 1/a.b_mask.png": IDS})
        assert list(masks) == ["day 1/a.b"]

    def test_in_folders_of_other_names(self, imported):
        files = {"left/images/a.jpg": PHOTO, "labels/a.png": IDS}
        _, _, masks = imported(files, layout={"rgb": "left/images", "gt": "labels/"})
        assert list(masks) == ["a"]

    def test_folders_are_the_splits(self, imported):
        folders = ("train", "val", "test")
        files = {f"rgb/{f}/a.jpg": PHOTO for f in folders} | {f"gt/{f}/a.png": IDS for f in folders}
        _, dataset, _ = imported(files, layout={"folders_as_splits": True})
        assert {i.id: i.split for i in dataset.items} == {
            "train/a": "train",
            "val/a": "validation",
            "test/a": "test",
        }

    def test_folder_that_is_no_split_is_a_user_error(self, imported):
        with pytest.raises(
            UserError, match=r"rgb/a\.jpg: is in none of the folders train, training, .*: move it into one"
        ):
            imported(pair(IDS), layout={"folders_as_splits": True})

    def test_in_a_zip(self, tmp_path, write_files, zip_bytes):
        whole = zip_bytes(write_files(tmp_path / "mine", pair(IDS)), "full_semantic")
        (tmp_path / "full_semantic.zip").write_bytes(whole)
        report = import_folder(tmp_path / "full_semantic.zip", tmp_path / "out", LabelMapping())
        assert report.images == 1


class TestIds:
    def test_ids_without_names_are_numbered_and_reported(self, imported):
        report, dataset, masks = imported(pair(IDS))
        assert [c.name for c in dataset.classes] == ["class_0", "class_1", "class_2"]
        np.testing.assert_array_equal(masks["a"], IDS)
        assert "give --classes FILE to name them" in str(report)

    def test_with_names(self, imported):
        _, dataset, masks = imported(pair(IDS), "[soil, apple, leaf, plum]")
        assert [c.name for c in dataset.classes] == ["soil", "apple", "leaf", "plum"]
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_ids_with_gaps_are_renumbered_and_reported(self, imported):
        report, _, masks = imported(pair(IDS * 10), "{0: soil, 10: apple, 20: leaf}")
        np.testing.assert_array_equal(masks["a"], IDS)
        assert "values became: apple 10→1, leaf 20→2" in str(report)

    def test_of_a_palette_png_are_its_indices(self, imported):
        """Two of its entries are of one colour: only the index tells them apart."""
        palette = np.array([(0, 0, 0), (9, 9, 9), (9, 9, 9)], np.uint8)
        _, _, masks = imported(pair(palette_png(IDS, palette)))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_in_three_equal_channels(self, imported):
        _, _, masks = imported(pair(np.repeat(IDS[..., None], 3, axis=2)))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_255_stays_ignored(self, imported):
        report, _, masks = imported(pair(np.where(IDS == 2, 255, IDS).astype(np.uint8)))
        np.testing.assert_array_equal(masks["a"], np.array([0, 1, 255], np.uint8)[IDS])
        assert (report.ignored, report.pixels) == (2, {"class_0": 18, "class_1": 4})

    def test_ids_are_ignored_on_request(self, imported):
        _, dataset, masks = imported(pair(IDS), ignored=[2])
        assert [c.name for c in dataset.classes] == ["class_0", "class_1"]
        np.testing.assert_array_equal(masks["a"], np.array([0, 1, 255], np.uint8)[IDS])

    @pytest.mark.parametrize("classes", [None, "[soil, apple]"])
    def test_255_is_an_object_only_with_map(self, imported, tmp_path, classes):
        with pytest.raises(UserError, match=r"only 0 and 255, and 255 means ignored: .* give --map 255=1"):
            imported(pair(BINARY), classes)
        assert not (tmp_path / "out").exists()
        _, _, masks = imported(pair(BINARY), classes, replaced={255: 1})
        np.testing.assert_array_equal(masks["a"], BINARY // 255)

    def test_values_may_be_swapped(self, imported):
        _, _, masks = imported(pair(IDS), replaced={1: 2, 2: 1})
        np.testing.assert_array_equal(masks["a"], np.array([0, 2, 1], np.uint8)[IDS])


class TestColors:
    def test_of_cvat_s_label_map(self, imported):
        _, dataset, masks = imported(pair(COLORS[IDS]), LABELMAP, "labelmap.txt")
        assert [c.name for c in dataset.classes] == ["background", "apple", "leaf"]
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_of_another_class_file(self, imported):
        entries = "[{id: 0, name: soil, color: [0, 0, 0]}, {id: 1, name: apple, color: [220, 40, 50]}, "
        entries += "{id: 2, name: leaf, color: [60, 170, 75]}]"
        _, _, masks = imported(pair(COLORS[IDS]), entries)
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_of_a_palette_png_however_it_is_indexed(self, imported):
        turned = palette_png(2 - IDS, COLORS[2::-1].copy())
        _, _, masks = imported(pair(turned), LABELMAP, "labelmap.txt")
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_mask_with_one_channel_has_line_numbers_of_the_label_map(self, imported):
        lines = np.array([1, 0, 2], np.uint8)[IDS]
        _, _, masks = imported(pair(lines), LABELMAP, "labelmap.txt")
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_colours_are_not_used_if_masks_are_ids(self, imported):
        lines = palette_png(np.array([1, 0, 2], np.uint8)[IDS], COLORS[::-1].copy())
        _, _, masks = imported(pair(lines), LABELMAP, "labelmap.txt", kind="ids")
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_grey_colours_saved_in_one_channel(self, imported):
        classes = "[{id: 0, name: soil, color: [0, 0, 0]}, {id: 1, name: apple, color: [255, 255, 255]}]"
        _, _, masks = imported(pair(BINARY), classes, kind="colors")
        np.testing.assert_array_equal(masks["a"], BINARY // 255)

    def test_colours_are_ignored_on_request(self, imported):
        void = np.where(IDS == 2, 3, IDS)
        _, _, masks = imported(pair(COLORS[void]), LABELMAP, "labelmap.txt", ignored=[(224, 224, 192)])
        np.testing.assert_array_equal(masks["a"], np.array([0, 1, 255], np.uint8)[IDS])


INVALID = {
    "no gt folder": ({"rgb/a.jpg": PHOTO}, {}, "mine: does not contain gt; expected images in rgb/", "--gt"),
    "no rgb folder": ({"img/a.jpg": PHOTO, "gt/a.png": IDS}, {}, "mine: contains no image in rgb/", "give --rgb NAME"),
    "no pair": (
        {"rgb/IMG_1.jpg": PHOTO, "gt/1.png": IDS},
        {},
        "An image is named 'IMG_1', a mask '1'",
        "the names must be equal",
    ),
    "masks saved as JPEG": (pair(IDS, "gt/a.jpg"), {}, "gt/a.jpg: is a mask in a lossy format", "masks again as PNG"),
    "no mask": ({"rgb/a.jpg": PHOTO, "gt/notes.txt": ""}, {}, "mine: contains no mask in gt/", ".png, .tif"),
    "another size": (pair(IDS.T), {}, "gt/a.png: is 4x6 but its image is 6x4", "never resize"),
    "half a mask": (pair(b"\x89PNG"), {"classes": "[a, b]"}, "gt/a.png: cannot be decoded", "export it again"),
    "half a palette mask": (pair(palette_png(IDS)[:60]), {"classes": "[a, b]"}, "gt/a.png: cannot be d", "export it a"),
    "values with gaps": (pair(IDS * 100), {}, "values 0, 100, 200, which do not count up", "--classes FILE"),
    "nothing but 0": (pair(IDS * 0), {}, "only 0, so there is nothing to learn", "the right files"),
    "only one object": (pair(IDS * 0 + 1), {"classes": "[a, b]"}, "every labelled pixel of the masks is 'b'", "files"),
    "a value without name": (pair(IDS), {"classes": "[a, b]"}, "gt/a.png: 2 pixels have values of no c", "--map"),
    "a blurred mask": (pair(IDS * 60), {"classes": "[a, b]"}, "of no class: 60, 120", "resized or saved as JPEG"),
    "colours without a class file": (pair(COLORS[IDS]), {}, "gt/a.png: is in colours", "--classes FILE"),
    "colours that the class file lacks": (pair(COLORS[IDS]), {"classes": "[a, b]"}, "gt/a.png: is in col", "--classes"),
    "colours by option, without a file": (pair(COLORS[IDS]), {"kind": "colors"}, "masks in colours", "--classes FILE"),
    "a colour without name": (
        pair(COLORS[IDS] + 1),
        {"classes": LABELMAP, "classes_name": "labelmap.txt"},
        "gt/a.png: 24 pixels have colours that are not in the label map",
        "never resized or saved as JPEG",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "options", "names", "remedy"), INVALID.values(), ids=INVALID)
def test_invalid_source_names_the_file_and_the_remedy(imported, tmp_path, files, options, names, remedy):
    with pytest.raises(UserError) as refusal:
        imported(files, **options)
    assert names in str(refusal.value)
    assert remedy in str(refusal.value)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]  # nothing half-written
