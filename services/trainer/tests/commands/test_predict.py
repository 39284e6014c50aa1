"""``segstack predict``."""

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


@pytest.mark.parametrize("option", ["--form", "--show"])  # the second is how earlier releases spelled it
def test_published_model_segments_a_folder(trainer, published, photos, tmp_path, option):
    words = ("predict", photos, "--model", published.folder, "--output", tmp_path / "out", option, "contours")
    status, out, _ = trainer(*words)
    assert (status, out) == (0, f"3 of 3 segmented: {tmp_path}/out\n")
    for photo in photos.iterdir():
        assert cv2.imread(str(tmp_path / "out" / photo.name)).shape == (64, 96, 3)
    assert trainer(*words)[2].startswith(f"trainer: {tmp_path}/out/")


def test_broken_images_are_listed(trainer, published, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"nothing")
    status, out, err = trainer("predict", photos, "--model", published.folder, "--output", tmp_path / "out")
    assert (status, out) == (1, f"3 of 4 segmented: {tmp_path}/out\n")
    assert err.endswith(
        f"trainer: 1 of 4 could not be read in full:\n  {photos}/broken.jpg: cannot be decoded as an image\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.jpg"], "nowhere.jpg: no such file or folder"),
        (["photos", "--alpha", "2"], "--alpha 2: expected 0"),
        (["0", "--seconds", "nan"], "--seconds nan: expected more than 0"),
        (["photos", "--seconds", "3"], "--seconds 3: expected more than 0, and a camera's number as the input"),
    ],
)
def test_user_error_is_one_sentence(trainer, photos, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = trainer("predict", *words, "--model", "nowhere", "--output", "out")
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
