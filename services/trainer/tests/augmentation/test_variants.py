"""Variants on disk: the same seed gives the same files, for any number of workers and interruptions."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from trainer.augmentation.augmented_dataset import augment_dataset
from trainer.augmentation.labelled_source import labelled_items
from trainer.augmentation.operations import create_operation
from trainer.augmentation.variants import Layout, Variants, augment
from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError

MOVED = Variants((create_operation("rotate", degrees=30), create_operation("copy_paste", probability=1)), 2, seed=3)


@pytest.fixture
def images(dataset):
    return labelled_items(dataset, dataset.items[:4])


@pytest.fixture
def make(images, dataset, tmp_path):
    """``make(name, variants, …)``: variants of four images in the folder ``name``."""

    def augmented(name="out", variants=MOVED, images=images, **options):
        augment(images, dataset.classes, tmp_path / name, variants, **options)
        return tmp_path / name

    return augmented


@pytest.fixture(scope="module")
def augmented(dataset, tmp_path_factory):
    """The drawn set with one more variant of each training image."""
    folder = tmp_path_factory.mktemp("augmented") / "set"
    augment_dataset(dataset, folder, Variants((create_operation("flip"),), 1))
    return load_dataset(folder)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_variant_is_an_image_a_mask_and_a_preview(make, images, dataset):
    folder = make()
    names = [f"{image.id}_aug{number:03d}" for image in images for number in range(2)]
    assert sorted(contents(folder)) == sorted(
        [
            "augmentation.json",
            *(f"{d}/{n}.{s}" for d, s in [("RGB", "jpg"), ("MASK", "png"), ("VIS_MASK", "png")] for n in names),
        ]
    )
    mask = cv2.imread(str(folder / f"MASK/{names[0]}.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(mask)) <= {*range(len(dataset.classes)), 255}
    seen = cv2.imread(str(folder / f"VIS_MASK/{names[0]}.png"), cv2.IMREAD_COLOR_RGB)
    assert (seen[mask == 0] == dataset.classes[0].color).all()


def test_variants_of_one_image_differ(make):
    files = contents(make())
    masks = [content for name, content in files.items() if name.startswith("MASK")]
    assert len(set(masks)) == len(masks)


def test_number_of_workers_does_not_change_the_files(make):
    assert contents(make("one", workers=1)) == contents(make("four", workers=4))


def test_a_different_seed_gives_different_variants(make):
    one, other = make("one"), make("other", Variants(MOVED.operations, 2, seed=4))
    assert all((one / name).read_bytes() != (other / name).read_bytes() for name in contents(one))


def test_interrupted_run_continues(make, images):
    whole, folder = contents(make("whole")), make("again")
    (folder / f"MASK/{images[1].id}_aug000.png").unlink()
    (folder / f"RGB/{images[2].id}_aug001.jpg").rename(folder / f"RGB/.tmp-{images[2].id}_aug001.jpg")
    kept = folder / f"RGB/{images[0].id}_aug000.jpg"
    written = kept.stat().st_mtime_ns
    make("again")
    assert contents(folder) == whole
    assert kept.stat().st_mtime_ns == written


def test_unreadable_image_stops_the_run_and_keeps_written_variants(make, images, dataset, tmp_path):
    def unreadable():
        raise UserError("b.jpg: cannot be decoded")

    broken = [images[0], type(images[0])("broken", unreadable)]
    with pytest.raises(UserError, match=r"b\.jpg: cannot be decoded"):
        make("out", Variants((), 1), images=broken, workers=1)
    assert not [name for name in contents(tmp_path / "out") if "broken" in name or ".tmp" in name]
    make("out", Variants((), 1))
    assert len(contents(tmp_path / "out")) == 1 + 4 * 3


def test_output_of_other_options_is_a_user_error(make, tmp_path):
    make()
    with pytest.raises(UserError, match="out was written with other operations, classes, formats or another seed"):
        make(variants=Variants(MOVED.operations, 2, seed=4))
    with pytest.raises(UserError, match="out was written with other"):
        make(variants=replace(MOVED, image_format="png"))
    with pytest.raises(UserError, match="out was written with other"):
        make(layout=Layout("images", "masks", None))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(UserError, match="full is not empty: name a new folder with --output"):
        make("full")


def test_more_copies_are_added_to_existing_variants(make):
    few = contents(make("few"))
    more = contents(make("few", Variants(MOVED.operations, 3, MOVED.seed)))
    assert len(more) == len(few) + 4 * 3
    assert few.items() <= more.items()


def test_options_are_written_to_the_output(make, dataset):
    facts = json.loads((make() / "augmentation.json").read_text())
    assert facts["operations"][0] == {"rotate": {"probability": 1.0, "degrees": 30.0}}
    assert [c["name"] for c in facts["classes"]] == [c.name for c in dataset.classes]


def test_png_keeps_pixels(make, images):
    folder = make(variants=Variants((), image_format="png"), layout=Layout("images", "masks", None))
    pixels = cv2.imread(str(folder / f"images/{images[0].id}_aug000.png"), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(pixels, images[0].read().image)


class TestDataset:
    def test_it_has_the_originals_and_variants_of_training_images_only(self, dataset, augmented):
        for split in ("validation", "test"):
            assert augmented.split(split) == dataset.split(split)
        assert len(augmented.split("train")) == 2 * len(dataset.split("train"))
        for item in augmented.items:
            assert (augmented.root / item.image).is_file()
            assert (augmented.root / item.mask).is_file()

    def test_variant_is_in_its_image_s_split(self, augmented):
        for item in augmented.items:
            if item.group:
                assert item.id.startswith(item.group)

    def test_augmented_data_set_is_a_user_error(self, augmented, tmp_path):
        """Else the variant ``a_aug000`` of ``a`` would be written over the image ``a_aug000`` there is."""
        with pytest.raises(UserError, match=r"has an image '.*_aug000'.*augment the original data set"):
            augment_dataset(augmented, tmp_path / "twice", Variants((), 1))
        assert not (tmp_path / "twice").exists()

    def test_changed_labels_are_a_user_error(self, dataset, tmp_path, write_files):
        source = replace(dataset, root=tmp_path / "source")
        shutil.copytree(dataset.root, source.root)
        augment_dataset(source, tmp_path / "out", Variants((), 1))
        index = (tmp_path / "out" / "dataset.json").read_bytes()
        mask = source.root / source.items[0].mask
        mask.unlink()  # the output may hold the same file
        write_files(source.root, {source.items[0].mask: np.zeros((64, 96), np.uint8)})
        with pytest.raises(UserError, match="have changed since the variants were written: name a new folder"):
            augment_dataset(source, tmp_path / "out", Variants((), 1))
        assert (tmp_path / "out" / "dataset.json").read_bytes() == index

    def test_originals_are_hard_links(self, dataset, augmented):
        item = dataset.items[0]
        assert (augmented.root / item.image).read_bytes() == (dataset.root / item.image).read_bytes()
