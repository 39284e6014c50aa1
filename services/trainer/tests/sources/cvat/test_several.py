"""Several CVAT exports at once: one class map, unique ids, and a project's subsets as splits."""

import cv2
import numpy as np
import pytest

from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError
from trainer.sources.cvat.importer import import_cvat

RED, GREEN, BLUE = (220, 40, 50), (60, 170, 75), (10, 20, 200)
IMAGE = np.full((2, 3, 3), 90, np.uint8)


def labelmap(**colors):
    lines = [f"{name}:{','.join(map(str, color))}::\n" for name, color in sorted(colors.items())]
    return "".join([*lines, "background:0,0,0::\n"])


def task(color=RED, frames=("frame_000000",), **labels):
    """An export whose frames are drawn in one colour, but for the first pixel."""
    mask = np.full((2, 3, 3), color, np.uint8)
    mask[0, 0] = 0
    return {
        "labelmap.txt": labelmap(**(labels or {"apple": RED, "leaf": GREEN})),
        "ImageSets/Segmentation/default.txt": "".join(f"{f}\n" for f in frames),
        **{f"JPEGImages/{f}.png": IMAGE for f in frames},
        **{f"SegmentationClass/{f}.png": mask for f in frames},
    }


@pytest.fixture
def imported(tmp_path, write_files):
    """``imported({"name": files}, **options)``: report, data set and masks by id."""

    def run(exports, **options):
        folders = [write_files(tmp_path / name, files) for name, files in exports.items()]
        report = import_cvat(folders, tmp_path / "out", **options)
        dataset = load_dataset(tmp_path / "out")
        return report, dataset, {i.id: cv2.imread(str(dataset.root / i.mask), 0) for i in dataset.items}

    return run


class TestTaskWithoutObjects:
    """Its export lists its frames and has no folder of masks."""

    def test_task_without_masks_is_all_background_with_other_exports(self, imported):
        empty = {name: content for name, content in task().items() if not name.startswith("SegmentationClass")}
        report, _, masks = imported({"street": task(), "empty": empty})
        assert not masks["empty/frame_000000"].any()
        assert report.blank == 1
        assert "empty contains no mask: all of its 1 frames are background" in str(report)

    def test_no_masks_at_all_is_a_user_error(self, imported, tmp_path):
        empty = {name: content for name, content in task().items() if not name.startswith("SegmentationClass")}
        with pytest.raises(UserError, match=r"one and .*two: contains no mask .*export again from CVAT"):
            imported({"one": empty, "two": empty})
        assert not (tmp_path / "out").exists()


class TestIds:
    def test_ids_begin_with_the_export_s_name(self, imported):
        _, dataset, masks = imported({"street": task(RED), "kitchen": task(GREEN)})
        assert [(i.id, i.image) for i in dataset.items] == [
            ("street/frame_000000", "images/street/frame_000000.png"),
            ("kitchen/frame_000000", "images/kitchen/frame_000000.png"),
        ]
        assert [mask[1, 1] for mask in masks.values()] == [1, 2]

    def test_ids_of_a_single_export_have_no_prefix(self, imported):
        _, dataset, _ = imported({"street": task()})
        assert [i.id for i in dataset.items] == ["frame_000000"]

    def test_prefix_always(self, imported):
        _, dataset, _ = imported({"street": task()}, prefix="always")
        assert [i.id for i in dataset.items] == ["street/frame_000000"]

    def test_prefix_never_with_different_ids(self, imported):
        exports = {"a": task(frames=["x"]), "b": task(frames=["y"])}
        _, dataset, _ = imported(exports, prefix="never")
        assert [i.id for i in dataset.items] == ["x", "y"]

    def test_prefix_never_with_equal_ids_is_a_user_error(self, imported, tmp_path):
        with pytest.raises(UserError, match=r"frame_000000 is in two exports, the second is .*b: omit --prefix nev"):
            imported({"a": task(), "b": task()}, prefix="never")
        assert not (tmp_path / "out").exists()

    def test_exports_of_the_same_name_are_a_user_error(self, tmp_path, write_files):
        folders = [write_files(tmp_path / where / "export", task()) for where in "ab"]
        with pytest.raises(UserError, match=r"two exports are named 'export', .* rename one"):
            import_cvat(folders, tmp_path / "out")


class TestClasses:
    def test_classes_are_matched_by_name(self, imported):
        exports = {"a": task(RED, apple=RED, leaf=GREEN), "b": task(RED, apple=GREEN, leaf=RED)}
        report, dataset, masks = imported(exports)
        assert [(c.name, c.color) for c in dataset.classes] == [
            ("background", (0, 0, 0)),
            ("apple", RED),
            ("leaf", GREEN),
        ]
        assert [mask[1, 1] for mask in masks.values()] == [1, 2]
        assert report.pixels == {"background": 2, "apple": 5, "leaf": 5}

    def test_different_classes_are_a_user_error(self, imported):
        exports = {"a": task(RED, apple=RED, leaf=GREEN), "b": task(BLUE, apple=RED, plum=BLUE)}
        with pytest.raises(
            UserError, match=r"only in the first: leaf; only in the second: plum\): give both .* --merge-c"
        ):
            imported(exports)

    def test_different_classes_are_merged_on_request(self, imported):
        exports = {"a": task(RED, apple=RED, leaf=GREEN), "b": task(GREEN, apple=RED, plum=GREEN)}
        _, dataset, masks = imported(exports, merge_classes=True)
        assert [c.name for c in dataset.classes] == ["background", "apple", "leaf", "plum"]
        assert len({c.color for c in dataset.classes}) == 4  # plum's was leaf's
        assert [mask[1, 1] for mask in masks.values()] == [1, 3]


class TestImagesElsewhere:
    """One folder of images for all, or a folder for each export in it."""

    def exports(self):
        def without_images(files):
            return {name: content for name, content in files.items() if not name.startswith("JPEGImages")}

        return {name: without_images(task()) for name in ("a", "b")}

    def test_sub_folders_with_the_exports_names(self, imported, tmp_path, write_files):
        write_files(tmp_path, {f"photos/{n}/frame_000000.png": IMAGE for n in "ab"})
        _, dataset, _ = imported(self.exports(), images=tmp_path / "photos")
        assert [i.id for i in dataset.items] == ["a/frame_000000", "b/frame_000000"]

    def test_one_file_for_two_frames_is_a_user_error(self, imported, tmp_path, write_files):
        write_files(tmp_path, {"photos/frame_000000.png": IMAGE})
        with pytest.raises(UserError, match=r"frame_000000\.png is labelled in a and in b: put each export's images"):
            imported(self.exports(), images=tmp_path / "photos")

    def test_image_labelled_in_another_export_is_not_reported(self, imported, tmp_path, write_files):
        exports = self.exports()
        exports["b"] = {name.replace("frame_000000", "other"): c for name, c in exports["b"].items()}
        exports["b"]["ImageSets/Segmentation/default.txt"] = "other\n"
        write_files(tmp_path, {f"photos/{n}.png": IMAGE for n in ("frame_000000", "other", "spare")})
        report, dataset, _ = imported(exports, images=tmp_path / "photos")
        assert [i.id for i in dataset.items] == ["a/frame_000000", "b/other"]
        assert report.unlabelled == ["a/spare"]


class TestSubsetsAsSplits:
    def project(self, **subsets):
        frames = [f for listed in subsets.values() for f in listed]
        files = {name: content for name, content in task(frames=frames).items() if "ImageSets" not in name}
        return files | {f"ImageSets/Segmentation/{s}.txt": "\n".join(listed) for s, listed in subsets.items()}

    def test_subsets_are_kept(self, imported):
        project = self.project(Train=["a", "b"], Validation=["c"], Test=["d"])
        _, dataset, _ = imported({"p": project}, subsets_as_splits=True)
        assert {i.id: i.split for i in dataset.items} == {"a": "train", "b": "train", "c": "validation", "d": "test"}

    def test_training_images_become_validation_images_if_a_project_has_none(self, imported):
        project = self.project(Train=[f"t{n}" for n in range(60)], Test=["d"])
        report, _, _ = imported({"p": project}, subsets_as_splits=True)
        assert report.splits["test"] == 1
        assert 0 < report.splits["validation"] < 20

    @pytest.mark.parametrize(
        ("subsets", "message"),
        [
            ({"Train": ["a"], "default": ["b"]}, "b is in 'default': --subsets-as-splits expects each image in one of"),
            ({"Train": ["a"], "Test": ["a"]}, "a is in 'Test' and 'Train': --subsets-as-splits expects each image"),
        ],
    )
    def test_subset_that_is_no_split_is_a_user_error(self, imported, tmp_path, subsets, message):
        with pytest.raises(UserError, match=message):
            imported({"p": self.project(**subsets)}, subsets_as_splits=True)
        assert not (tmp_path / "out").exists()
