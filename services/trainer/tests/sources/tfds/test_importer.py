"""Importing sets of TensorFlow Datasets: small ones with the features of the real ones."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError
from trainer.sources.masks.reader import LabelMapping
from trainer.sources.tfds.importer import import_tfds

HEIGHT, WIDTH = 4, 6
IDS = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
IDS[1:3, 1:3] = 1
IDS[3, 4:] = 2
PHOTO = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)

IMAGE = tfds.features.Image(encoding_format="jpeg")
MASK = tfds.features.Image(shape=(None, None, 1), encoding_format="png")
PLAIN = {"image": IMAGE, "segmentation_mask": MASK, "file_name": tfds.features.Text()}


@pytest.fixture(scope="module")
def prepare(tmp_path_factory):
    """``prepare(name, features, {split: [example, …]})``: the folder of a prepared set."""

    def run(set_name, features, examples):
        class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            name = set_name
            VERSION = tfds.core.Version("1.0.0")
            url_infos = {}  # noqa: RUF012 - nothing is downloaded

            def _info(self):
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in examples}

            def _generate_examples(self, split):
                yield from enumerate(examples[split])

        tfds.disable_progress_bar()
        builder = Builder(data_dir=tmp_path_factory.mktemp("tfds"))
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        return builder.data_path

    return run


@pytest.fixture
def imported(tmp_path):
    """``imported(folder, mapping, **options)``: report, data set and masks by id."""

    def run(folder, mapping=LabelMapping(), **options):  # noqa: B008 - a frozen value
        report = import_tfds(str(folder), tmp_path / "out", mapping, **options)
        dataset = load_dataset(tmp_path / "out")
        return report, dataset, {i.id: cv2.imread(str(dataset.root / i.mask), 0) for i in dataset.items}

    return run


def example(name, mask=IDS):
    return {"image": PHOTO, "segmentation_mask": mask, "file_name": name}


@pytest.fixture(scope="module")
def plain(prepare):
    """Unnamed classes; splits train and test."""
    train = [example(f"day 1/{n}.jpg") for n in range(40)]
    return prepare("plain", PLAIN, {"train": train, "test": [example("t.jpg")]})


class TestAnySet:
    def test_names_splits_and_pixels(self, imported, plain):
        report, dataset, masks = imported(plain)
        assert {"day 1/0", "day 1/39", "t"} < masks.keys()
        for mask in masks.values():
            np.testing.assert_array_equal(mask, IDS[..., 0])
        assert [c.name for c in dataset.classes] == ["class_0", "class_1", "class_2"]
        assert report.images == 41

    def test_training_images_become_validation_images_if_there_are_only_test_images(self, imported, plain):
        report, dataset, _ = imported(plain)
        assert [i.id for i in dataset.split("test")] == ["t"]
        assert report.splits["train"] + report.splits["validation"] == 40
        assert report.splits["validation"] > 0

    def test_images_are_kept_byte_for_byte(self, imported, plain):
        _, dataset, _ = imported(plain)
        stored = (dataset.root / dataset.items[0].image).read_bytes()
        assert dataset.items[0].image.endswith(".jpg")
        builder = tfds.builder_from_directory(plain)
        encoded = builder.as_dataset(split="train", decoders={"image": tfds.decode.SkipDecoding()})
        assert stored in {e["image"] for e in tfds.as_numpy(encoded)}

    def test_images_are_numbered_by_position(self, imported, plain):
        _, dataset, _ = imported(plain, id_key="position")
        assert {"train_000000", "train_000039", "test_000000"} < {i.id for i in dataset.items}

    def test_a_class_file_names_the_values(self, imported, plain, tmp_path):
        (tmp_path / "c.yaml").write_text("[soil, apple]")
        _, dataset, masks = imported(plain, LabelMapping(tmp_path / "c.yaml", ignored=[2]))
        assert [c.name for c in dataset.classes] == ["soil", "apple"]
        np.testing.assert_array_equal(masks["t"], np.array([0, 1, 255], np.uint8)[IDS[..., 0]])

    def test_labels_of_the_set_are_used(self, imported, prepare):
        mask = tfds.features.LabeledImage(labels=["soil", "apple", "leaf"], encoding_format="png")
        folder = prepare("labelled", {**PLAIN, "segmentation_mask": mask}, {"train": [example("a.png")]})
        _, dataset, masks = imported(folder)
        assert [c.name for c in dataset.classes] == ["soil", "apple", "leaf"]
        np.testing.assert_array_equal(masks["a"], IDS[..., 0])

    def test_class_map_of_the_set_is_used(self, imported, prepare):
        folder = prepare("mapped", PLAIN, {"train": [example("a.png")]})
        (folder / "classes.json").write_text('{"classes": ["soil", "apple", "leaf"]}')
        _, dataset, _ = imported(folder)
        assert [c.name for c in dataset.classes] == ["soil", "apple", "leaf"]

    def test_single_split_is_divided(self, imported, prepare):
        folder = prepare("single", PLAIN, {"train": [example(f"{n}.png") for n in range(40)]})
        report, dataset, _ = imported(folder)
        assert {i.split for i in dataset.items} == {None}
        assert min(report.splits[name] for name in ("train", "validation", "test")) > 0

    def test_unknown_split_is_skipped(self, imported, prepare):
        splits = {"train": [example("a")], "validation": [example("b")], "train_extra": [example("c")]}
        report, dataset, _ = imported(prepare("extra", PLAIN, splits))
        assert {i.id: i.split for i in dataset.items} == {"a": "train", "b": "validation"}
        assert "Its split 'train_extra' is skipped" in str(report)


class TestKnownSets:
    """Real sets' names, features and values; with other images."""

    def test_oxford_iiit_pet_s_border_is_ignored(self, imported, prepare):
        trimap = np.array([2, 1, 3], np.uint8)[IDS]
        features = {**PLAIN, "label": tfds.features.ClassLabel(names=["Abyssinian", "beagle"])}
        splits = {s: [{**example(f"{s}_1.jpg", trimap), "label": 0}] for s in ("train", "test")}
        report, dataset, masks = imported(prepare("oxford_iiit_pet", features, splits))
        assert [c.name for c in dataset.classes] == ["background", "pet"]
        np.testing.assert_array_equal(masks["test_1"], np.array([0, 1, 255], np.uint8)[IDS[..., 0]])
        assert "border (3, not classified) is ignored" in str(report)

    def test_import_tfds_from_the_command_line(self, trainer, prepare, tmp_path):
        trimap = np.array([2, 1, 3], np.uint8)[IDS]
        folder = prepare("oxford_iiit_pet", PLAIN, {"train": [example("a.jpg", trimap)]})
        status, out, _ = trainer("data", "import", "tfds", folder, "--output", tmp_path / "set")
        assert (status, out.splitlines()[-1]) == (0, f"imported: {tmp_path}/set")
        assert "  pet                   16.667% of the pixels" in out

    def test_scene_parse150_has_categories_in_red(self, imported, prepare):
        annotation = np.concatenate([IDS * 50, IDS + 7, IDS * 0], axis=2)
        features = {"image": IMAGE, "annotation": tfds.features.Image(encoding_format="png")}
        splits = {s: [{"image": PHOTO, "annotation": annotation}] for s in ("train", "test")}
        _, dataset, masks = imported(prepare("scene_parse150", features, splits))
        assert len(dataset.classes) == 101
        assert [dataset.classes[n].name for n in (0, 1, 50, 100)] == ["background", "bed", "bus", "flag"]
        np.testing.assert_array_equal(masks["test_000000"], IDS[..., 0] * 50)

    def test_cityscapes_has_train_ids_and_no_labelled_test_images(self, imported, prepare):
        labels = np.array([7, 26, 4], np.uint8)[IDS]
        features = {
            "image_id": tfds.features.Text(),
            "image_left": tfds.features.Image(encoding_format="png"),
            "segmentation_label": MASK,
        }
        splits = {
            split: [{"image_id": f"{split}_000000_000019", "image_left": PHOTO, "segmentation_label": labels}]
            for split in ("train", "validation", "test")
        }
        _, dataset, masks = imported(prepare("cityscapes", features, splits))
        assert [i.id for i in dataset.items] == ["train_000000_000019", "validation_000000_000019"]
        assert dataset.items[0].image.endswith(".png")
        np.testing.assert_array_equal(masks["train_000000_000019"], np.array([0, 13, 255], np.uint8)[IDS[..., 0]])

    def test_class_file_overrides_known_classes(self, imported, prepare, tmp_path):
        trimap = np.array([2, 1, 3], np.uint8)[IDS]
        folder = prepare("oxford_iiit_pet", PLAIN, {"train": [example("a", trimap)]})
        (tmp_path / "c.yaml").write_text("{1: pet, 2: background, 3: border}")
        _, dataset, masks = imported(folder, LabelMapping(tmp_path / "c.yaml"))
        assert [c.name for c in dataset.classes] == ["pet", "background", "border"]
        np.testing.assert_array_equal(masks["a"], trimap[..., 0] - 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"image_key": "photo"}, "has no image feature 'photo': its images are .*; choose with --image-key"),
            ({"mask_key": "file_name"}, "no image feature 'file_name': .* choose with --mask-key"),
            (
                {"id_key": "name"},
                "no feature 'name' .*; its features are file_name; --id-key position",
            ),
        ],
    )
    def test_missing_feature(self, imported, plain, tmp_path, options, message):
        with pytest.raises(UserError, match=message):
            imported(plain, **options)
        assert list(tmp_path.iterdir()) == []

    def test_unknown_set(self, imported):
        with pytest.raises(UserError, match=r"TFDS has no set 'nobodys_set', and there is no such folder"):
            imported("nobodys_set")

    def test_folder_of_several_sets(self, imported, plain, tmp_path):
        for name in "ab":
            (tmp_path / name).mkdir()
            (tmp_path / name / "dataset_info.json").write_bytes((plain / "dataset_info.json").read_bytes())
        with pytest.raises(UserError, match=r"the folder of one prepared TFDS set, found .*/a, .*/b: choose one"):
            imported(tmp_path)

    @pytest.mark.parametrize("name", ["/etc/passwd", "../a", ""])
    def test_id_that_cannot_be_a_file_name(self, imported, prepare, tmp_path, name):
        with pytest.raises(UserError, match=r"train example 0 has the id .* give --id-key position"):
            imported(prepare("climbing", PLAIN, {"train": [example(name)]}))
        assert list(tmp_path.iterdir()) == []

    def test_same_id_of_two_images(self, imported, prepare, tmp_path):
        twice = {"train": [example("1.jpg")], "test": [example("1.jpg")]}
        with pytest.raises(UserError, match="two images have the id '1'"):
            imported(prepare("twice", PLAIN, twice))
        assert list(tmp_path.iterdir()) == []
