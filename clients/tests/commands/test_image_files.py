"""Image files of a folder, listed as they are needed."""

import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from segclient.commands.image_files import find_images
from segclient.errors import ImageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder: Path, leave_out: str = "nowhere") -> list[str]:
    return sorted(find_images(folder, folder / leave_out))


def test_images_are_found_by_suffix_in_all_sub_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "B.JPEG", "c/d/e.png", "c/f.webp", "g.txt", "h.gif")
    assert listed(tmp_path) == ["B.JPEG", "a.jpg", "c/d/e.png", "c/f.webp"]


def test_hidden_files_and_the_results_are_skipped(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".b.jpg", ".thumbnails/c.jpg", "results/a.png")
    assert listed(tmp_path, "results") == ["a.jpg"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "photos/up").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/others").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/gone").symlink_to(tmp_path / "nowhere")
    assert listed(tmp_path / "photos") == ["a.jpg", "others/b.jpg"]


def test_names_of_a_large_folder_are_not_held_at_once(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    first = tmp_path / "many/first.jpg"
    first.touch()
    for number in range(3000):
        (tmp_path / f"many/{number}-{'x' * 100}.jpg").hardlink_to(first)
    found = find_images(tmp_path, tmp_path / "nowhere")
    tracemalloc.start()
    try:
        assert sum(1 for _ in found) == 3001
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3000 * 100 / 2


def test_listing_can_be_stopped_early(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    assert len(list(islice(find_images(tmp_path, tmp_path / "nowhere"), 1))) == 1


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="expected a folder of images"):
        listed(tmp_path / "nowhere")
