"""The images to compare and to calibrate on."""

import json
from pathlib import Path

import numpy as np
import pytest

from converter import images
from converter.arguments import parse
from converter.errors import ConverterError


@pytest.fixture
def choose(models_root: Path):
    return lambda *words: images.choose(parse([str(models_root / "tiny"), *map(str, words)]))


def test_images_of_a_folder_are_read_at_the_models_size(choose, photographs: Path) -> None:
    compared, calibration = choose("--images", photographs)
    assert calibration is None
    assert (compared.names()[:2], len(compared.names())) == (["photo0.PNG", "photo1.jpg"], 6)
    pixels = compared.read(0, 32, 48)
    assert (pixels.shape, pixels.dtype) == ((32, 48, 3), np.uint8)
    same_size = compared.read(0, 64, 80)
    np.testing.assert_array_equal(
        same_size, np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    )


def test_max_images_are_evenly_spaced(choose, photographs: Path) -> None:
    compared, _ = choose("--images", photographs, "--max-images", 3)
    assert compared.names() == ["photo0.PNG", "photo2.PNG", "photo5.jpg"]


def test_images_of_a_data_set_are_those_of_its_index(choose, photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes((photographs / "photo0.PNG").read_bytes())
    (tmp_path / "contact-sheet.png").touch()
    (tmp_path / "dataset.json").write_text(json.dumps({"items": [{"image": "images/a.png", "mask": "masks/a.png"}]}))
    compared, _ = choose("--images", tmp_path)
    assert compared.names() == ["a.png"]
    assert compared.read(0, 32, 48).any()


def test_calibration_and_comparison_images_are_disjoint(choose, photographs: Path) -> None:
    int8 = ("--precision", "int8", "--calibration-data", photographs)
    for words in (int8, (*int8, "--images", photographs)):
        compared, calibration = choose(*words)
        assert set(compared.files) | set(calibration.files) == set(photographs.iterdir())
        assert not set(compared.files) & set(calibration.files)


def test_synthetic_images_are_the_default_and_deterministic(choose) -> None:
    compared, _ = choose()
    assert compared.synthetic
    first, second = (compared.read(i, 33, 47) for i in (0, 1))
    assert (first.shape, first.dtype) == ((33, 47, 3), np.uint8)
    np.testing.assert_array_equal(first, compared.read(0, 33, 47))
    assert (first != second).any()
    # As in photographs, neighbouring pixels differ far less than distant ones.
    assert np.abs(np.diff(first.astype(int), axis=0)).mean() < np.abs(first[:16].astype(int) - first[17:]).mean()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "contains no JPEG or PNG"),
        ({"notes.txt": b""}, "contains no JPEG or PNG"),
        ({"dataset.json": b'{"items": [{}]}'}, r"dataset.json cannot be read \(KeyError"),
        ({"dataset.json": b"["}, r"dataset.json cannot be read \(JSONDecodeError"),
        ({"dataset.json": b'{"items": []}'}, "contains no JPEG or PNG"),
    ],
)
def test_folder_without_images_is_refused(choose, tmp_path: Path, files, message) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConverterError, match=message):
        choose("--images", tmp_path)


def test_undecodable_image_is_refused_by_name(choose, tmp_path: Path) -> None:
    with pytest.raises(ConverterError, match="nowhere is not a folder"):
        choose("--images", tmp_path / "nowhere")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    compared, _ = choose("--images", tmp_path)
    with pytest.raises(ConverterError, match=r"broken\.jpg cannot be decoded as a JPEG or PNG"):
        compared.read(0, 32, 48)
    with pytest.raises(ConverterError, match="has one image: expected at least two, half to calibrate"):
        choose("--precision", "int8", "--calibration-data", tmp_path)
