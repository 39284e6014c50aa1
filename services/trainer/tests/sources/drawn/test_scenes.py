"""The drawn set, in the layout of a CVAT export."""

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.sources.cvat.importer import import_cvat
from trainer.sources.cvat.labelmap import parse_labelmap
from trainer.sources.drawn.objects import CLASSES
from trainer.sources.drawn.scenes import draw_scene, synthesize


def stems(folder):
    return {path.stem for path in folder.iterdir()}


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_rgb(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def class_pixels(export):
    """Pixels by class name, straight from the colours of the export's own files."""
    names = {c.color: c.name for c in parse_labelmap((export / "labelmap.txt").read_text()).classes}
    pixels = dict.fromkeys(names.values(), 0)
    for image in (export / "JPEGImages").iterdir():
        mask = export / "SegmentationClass" / f"{image.stem}.png"
        colors = read_rgb(mask) if mask.exists() else np.zeros_like(read_rgb(image))
        for color, count in zip(*np.unique(colors.reshape(-1, 3), axis=0, return_counts=True), strict=True):
            pixels[names[tuple(color.tolist())]] += int(count)
    return pixels


class TestLayout:
    def test_every_frame_has_an_image_and_is_listed(self, drawn):
        names = [f"frame_{number:06d}" for number in range(96)]
        assert (drawn / "ImageSets/Segmentation/default.txt").read_text().split() == names
        assert {p.name for p in (drawn / "JPEGImages").iterdir()} == {f"{name}.jpg" for name in names}
        assert all(read_rgb(p).shape == (64, 96, 3) for p in (drawn / "JPEGImages").iterdir())

    def test_frames_without_objects_have_no_png(self, drawn):
        drawn_masks = stems(drawn / "SegmentationClass")
        assert 0 < len(stems(drawn / "JPEGImages") - drawn_masks) < 20
        assert stems(drawn / "SegmentationObject") == drawn_masks

    def test_the_label_map_is_sorted_by_name_with_background_inside(self, drawn):
        comment, *lines = (drawn / "labelmap.txt").read_text().splitlines()
        assert comment == "# label:color_rgb:parts:actions"
        assert [line.split(":")[0] for line in lines] == ["apple", "background", "banana", "leaf", "plum"]
        assert all(len(line.split(":")) == 4 for line in lines)

    def test_masks_have_the_label_map_s_colours_and_every_class(self, drawn):
        seen = {tuple(c) for p in (drawn / "SegmentationClass").iterdir() for c in read_rgb(p).reshape(-1, 3).tolist()}
        assert seen == {(0, 0, 0), *(kind.label_color for kind in CLASSES)}

    def test_instances_and_classes_cover_the_same_pixels(self, drawn):
        for path in (drawn / "SegmentationClass").iterdir():
            objects = read_rgb(drawn / "SegmentationObject" / path.name)
            np.testing.assert_array_equal(read_rgb(path).any(axis=-1), objects.any(axis=-1))


def test_import_keeps_every_pixel(drawn, tmp_path):
    assert import_cvat([drawn], tmp_path / "out").pixels == class_pixels(drawn)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in [("one", 3), ("same", 3), ("other", 4)]:
        synthesize(tmp_path / name, images=6, height=48, width=64, seed=seed)
    assert files(tmp_path / "one") == files(tmp_path / "same")
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_more_images_begin_with_the_same_ones(drawn, tmp_path):
    synthesize(tmp_path / "few", images=3, height=64, width=96, seed=1)
    for path in (tmp_path / "few/JPEGImages").iterdir():
        assert path.read_bytes() == (drawn / "JPEGImages" / path.name).read_bytes()


def test_a_scene_is_one_larger_jpeg(tmp_path):
    draw_scene(tmp_path / "new/scene.jpg", 96, 128, seed=1)
    assert read_rgb(tmp_path / "new/scene.jpg").shape == (96, 128, 3)


def test_empty_folder_is_filled_and_nothing_temporary_is_left(tmp_path):
    (tmp_path / "out").mkdir()
    synthesize(tmp_path / "out", images=1, height=48, width=64, seed=1)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("taken", ["out/mine.txt", "out"])
def test_output_that_is_not_empty_is_a_user_error(tmp_path, write_files, taken):
    write_files(tmp_path, {taken: "precious"})
    with pytest.raises(UserError, match="out is not empty: name a new folder"):
        synthesize(tmp_path / "out", images=1, height=48, width=64, seed=1)
    assert files(tmp_path) == {taken: b"precious"}


def test_negative_seed_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="--seed -1: expected 0 or more"):
        synthesize(tmp_path / "out", images=1, height=48, width=64, seed=-1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("images", "height", "width"), [(0, 48, 64), (1, 31, 64), (1, 48, -64)])
def test_invalid_size_is_a_user_error(tmp_path, images, height, width):
    with pytest.raises(UserError, match=f"{images} images of {height}x{width}: expected at least one, 32x32 or larger"):
        synthesize(tmp_path / "out", images, height, width, seed=1)
    assert files(tmp_path) == {}
