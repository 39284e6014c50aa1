"""``python -m trainer predict``."""

import shutil

import cv2
import pytest


@pytest.fixture
def photos(dataset, tmp_path):
    """A folder of three images of the drawn set."""
    (tmp_path / "photos").mkdir()
    for item in dataset.items[:3]:
        shutil.copy(dataset.root / item.image, tmp_path / "photos")
    return tmp_path / "photos"


def test_a_folder_is_segmented_by_a_published_model(trainer, published, photos, tmp_path):
    words = ("predict", "--model", published.folder, photos, "--output", tmp_path / "out", "--show", "contours")
    status, out, _ = trainer(*words)
    assert (status, out) == (0, f"3 of 3 segmented: {tmp_path}/out\n")
    for photo in photos.iterdir():
        assert cv2.imread(str(tmp_path / "out" / photo.name)).shape == (64, 96, 3)
    assert trainer(*words)[2].startswith(f"trainer: {tmp_path}/out/")


def test_broken_images_are_listed_at_the_end(trainer, published, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"nothing")
    status, out, err = trainer("predict", "--model", published.folder, photos, "--output", tmp_path / "out")
    assert (status, out) == (1, f"3 of 4 segmented: {tmp_path}/out\n")
    assert err.endswith(
        f"trainer: 1 of 4 could not be read whole:\n  {photos}/broken.jpg: cannot be decoded as an image\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jpg"], "nowhere.jpg: no such file or folder"),
        (["photos", "--alpha", "2"], "--alpha 2: expected 0"),
        (["0", "--seconds", "nan"], "--seconds nan: expected more than 0"),
        (["photos", "--seconds", "3"], "--seconds 3: expected more than 0, and a camera's number as the input"),
    ],
)
def test_a_mistake_is_one_sentence(trainer, photos, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = trainer("predict", "--model", "nowhere", "--output", "out", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {said}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
