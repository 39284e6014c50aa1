"""Building a TFDS set: TFDS reads it back pixel by pixel, and nothing half-written is left."""

import dataclasses
import json
import socket
from collections import Counter

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from trainer.datasets.dataset import SPLITS, load_dataset
from trainer.errors import UserError
from trainer.sources.masks.reader import LabelMapping
from trainer.sources.tfds import builder as tfds_builder
from trainer.sources.tfds.builder import build
from trainer.sources.tfds.full_semantic import FullSemantic
from trainer.sources.tfds.importer import import_tfds


@pytest.fixture(scope="module")
def built(dataset, tmp_path_factory):
    return build(dataset.root, tmp_path_factory.mktemp("tfds"), "drawn")


def examples(folder, split):
    """Image and mask of each example by its id."""
    read = tfds.as_numpy(tfds.builder_from_directory(folder).as_dataset(split=split))
    return {example["id"].decode(): (example["image"], example["segmentation_mask"]) for example in read}


def pixels_by_class(dataset):
    counts = Counter()
    for item in dataset.items:
        mask = cv2.imread(str(dataset.root / item.mask), cv2.IMREAD_UNCHANGED)
        counts.update({int(value): int((mask == value).sum()) for value in np.unique(mask)})
    return counts


@pytest.fixture
def rgb_gt(tmp_path, write_files):
    """The layout of ``rgb/`` and ``gt/``: 40 pairs of 8x8 pixels, and names for their two classes."""
    for number in range(40):
        ids = np.zeros((8, 8), np.uint8)
        ids[: number % 8] = 1
        photo = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        write_files(tmp_path / "paired", {f"rgb/{number}.jpg": photo, f"gt/{number}_mask.png": ids})
    (tmp_path / "classes.json").write_text('["floor", "hole"]')
    return tmp_path / "paired"


class TestBuild:
    @pytest.mark.parametrize("split", SPLITS)
    def test_splits_have_the_data_set_s_images_and_masks(self, built, dataset, split):
        read = examples(built, split)
        assert read.keys() == {item.id for item in dataset.split(split)}
        for item in dataset.split(split):
            image, mask = read[item.id]
            assert mask.shape == (*image.shape[:2], 1)
            expected = cv2.imread(str(dataset.root / item.mask), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(mask[..., 0], expected)

    def test_images_are_stored_byte_for_byte(self, built, dataset):
        raw = tfds.builder_from_directory(built).as_dataset(
            split="test",
            decoders={"image": tfds.decode.SkipDecoding(), "segmentation_mask": tfds.decode.SkipDecoding()},
        )
        stored = {e["id"].decode(): (e["image"], e["segmentation_mask"]) for e in tfds.as_numpy(raw)}
        for item in dataset.split("test"):
            assert stored[item.id] == (
                (dataset.root / item.image).read_bytes(),
                (dataset.root / item.mask).read_bytes(),
            )

    def test_class_map_is_a_file_and_in_the_metadata(self, built, dataset):
        content = json.loads((built / "classes.json").read_text())
        assert content["ignore_id"] == 255
        assert [(c["id"], c["name"], tuple(c["color"])) for c in content["classes"]] == [
            dataclasses.astuple(c) for c in dataset.classes
        ]
        assert tfds.builder_from_directory(built).info.metadata["classes"] == content["classes"]

    def test_importing_it_gives_the_same_pixels_and_splits(self, built, dataset, tmp_path):
        import_tfds(str(built), tmp_path / "again", LabelMapping())
        again = load_dataset(tmp_path / "again")
        assert again.classes == dataset.classes
        assert pixels_by_class(again) == pixels_by_class(dataset)
        assert {i.id: again.split_of(i) for i in again.items} == {i.id: dataset.split_of(i) for i in dataset.items}

    def test_group_stays_in_one_split(self, dataset, tmp_path):
        """The drawn set again, its frames of one decade being one video."""
        items = tuple(dataclasses.replace(item, group=item.id[:-1]) for item in dataset.items)
        grouped = dataclasses.replace(dataset, root=tmp_path / "set", items=items)
        (tmp_path / "set").mkdir()
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).symlink_to(dataset.root / folder)
        grouped.save()
        folder = build(grouped.root, tmp_path / "tfds")
        groups = [{item_id[:-1] for item_id in examples(folder, split)} for split in SPLITS]
        assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]

    def test_two_versions(self, built, dataset):
        again = build(dataset.root, built.parent.parent, "drawn", "1.0.1")
        assert tfds.builder_from_directory(again).info.full_name == "drawn/1.0.1"
        assert examples(again, "test").keys() == examples(built, "test").keys()

    def test_without_the_network(self, dataset, tmp_path, monkeypatch):
        def refuse(*_):
            raise AssertionError("unexpected connection")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        assert build(dataset.root, tmp_path).is_dir()


class TestPairedFolders:
    """``rgb/`` and ``gt/``, zipped or not."""

    def test_folder_of_images_and_masks(self, rgb_gt, tmp_path, capsys):
        folder = build(rgb_gt, tmp_path / "tfds", classes=tmp_path / "classes.json")
        assert folder == tmp_path / "tfds/paired/1.0.0"
        assert sum(len(examples(folder, split)) for split in SPLITS) == 40
        assert [c["name"] for c in json.loads((folder / "classes.json").read_text())["classes"]] == ["floor", "hole"]
        assert sorted(p.name for p in (tmp_path / "tfds").iterdir()) == ["paired"]
        assert capsys.readouterr().out == ""

    def test_full_semantic_zip_in_the_manual_folder_of_tfds(self, rgb_gt, tmp_path, zip_bytes):
        manual = tmp_path / "manual"
        manual.mkdir()
        (manual / "full_semantic.zip").write_bytes(zip_bytes(rgb_gt))
        (manual / "classes.json").write_text((tmp_path / "classes.json").read_text())
        builder = FullSemantic(data_dir=tmp_path / "by tfds")
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual))
        by_tfds = tmp_path / "by tfds/full_semantic/1.0.0"
        ours = build(manual / "full_semantic.zip", tmp_path / "ours", classes=manual / "classes.json")
        assert (by_tfds / "classes.json").read_text() == (ours / "classes.json").read_text()
        for split in SPLITS:
            assert examples(by_tfds, split).keys() == examples(ours, split).keys()


class TestErrors:
    """One sentence, and nothing half-written."""

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
    def test_interrupted_build_leaves_nothing(self, dataset, tmp_path, monkeypatch, stop):
        def stopped(items, *_):
            yield from list(items)[:5]
            raise stop

        @classmethod
        def examples(cls, dataset, items, split):
            for item in stopped(items):
                yield item.id, {"image": b"", "segmentation_mask": b"", "id": item.id}

        monkeypatch.setattr(tfds_builder.SegmentationBuilder, "_generate_examples", examples)
        with pytest.raises(stop):
            build(dataset.root, tmp_path / "tfds")
        assert list((tmp_path / "tfds").iterdir()) == []

    def test_invalid_data_set(self, dataset, tmp_path):
        broken = dataclasses.replace(dataset, root=tmp_path / "set")
        broken.root.mkdir()
        broken.save()
        with pytest.raises(UserError, match=r"192 errors in this data set"):
            build(broken.root, tmp_path / "tfds")
        assert list((tmp_path / "tfds").iterdir()) == []

    def test_existing_version(self, built, dataset):
        before = (built / "dataset_info.json").read_bytes()
        with pytest.raises(UserError, match=r"drawn/1\.0\.0 exists already: build another --version, or remove it"):
            build(dataset.root, built.parent.parent, "drawn")
        assert (built / "dataset_info.json").read_bytes() == before

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"name": "my set"}, "--name 'my set': expected a letter, then letters, digits and _ only"),
            ({"version": "2"}, "--version '2': expected three numbers, for instance 1.0.0"),
            ({"classes": "classes.json"}, r"--classes classes.json: .*dataset\.json names the classes already; omit"),
        ],
    )
    def test_invalid_options(self, dataset, tmp_path, options, message):
        with pytest.raises(UserError, match=message):
            build(dataset.root, tmp_path / "tfds", **options)
        assert not (tmp_path / "tfds").exists()

    def test_unknown_source(self, tmp_path):
        with pytest.raises(UserError, match="nowhere: no such file or folder"):
            build(tmp_path / "nowhere", tmp_path / "tfds")
        (tmp_path / "photos").mkdir()
        with pytest.raises(
            UserError, match=r"photos: is neither a data set \(dataset\.json is missing\) nor has images"
        ):
            build(tmp_path / "photos", tmp_path / "tfds")
        assert not list(tmp_path.rglob("*.tfrecord*"))
