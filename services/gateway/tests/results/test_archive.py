"""Zips written piece by piece, and the names of their entries."""

import io
from zipfile import ZipFile

import pytest

from gateway.results.archive import EntryNames, ZipStream


def test_pieces_form_a_valid_zip():
    stream = ZipStream()
    pieces = [stream.add("a.png", b"one"), stream.add("fußgänger.json", b"two" * 1000), stream.end()]
    assert all(pieces)
    with ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.png": b"one",
            "fußgänger.json": b"two" * 1000,
        }


@pytest.mark.parametrize(
    ("filename", "entry"),
    [
        ("photo.jpg", "photo.png"),
        ("Fußgänger 3.JPEG", "Fußgänger 3.png"),
        ("archive.tar.gz", "archive.tar.png"),
        ("folder/photo.jpg", "photo.png"),
        ("C:\\fakepath\\photo.jpg", "photo.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..", "image.png"),
        (".", "image.png"),
        ("", "image.png"),
        ("a\0b\n:c?.jpg", "a_b__c_.png"),
        ("x" * 300 + ".jpg", "x" * 100 + ".png"),
    ],
)
def test_entry_is_named_after_its_file_without_folders(filename, entry):
    assert EntryNames().give(filename, "png") == entry


def test_entry_names_are_unique_on_any_file_system():
    names = EntryNames("manifest.json")
    given = [names.give(name, "png") for name in ("a.jpg", "a.png", "A.webp", "b/a.jpg")]
    assert given == ["a.png", "a-2.png", "A-3.png", "a-4.png"]
    assert names.give("manifest.jpg", "json") == "manifest-2.json"
