"""An export, zipped or unpacked: the same names and bytes, and nothing from outside it."""

import io
import zipfile

import pytest

from trainer.errors import UserError
from trainer.sources.archive import open_archive

FILES = {"labelmap.txt": "apple:1,1,1::", "JPEGImages/day 1/a.b.jpg": b"\xff\xd8", "SegmentationClass/x.png": b"\x89P"}


@pytest.fixture
def folder(tmp_path, write_files):
    return write_files(tmp_path / "export", FILES)


@pytest.fixture
def zip_of(tmp_path):
    """A zip with these members, written member by member."""

    def build(members):
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return build


def contents(path):
    archive = open_archive(path, ["labelmap.txt"], "an export")
    return {name: archive.read(name) for name in archive.names}


EXPECTED = {name: content.encode() if isinstance(content, str) else content for name, content in FILES.items()}


def test_a_folder(folder):
    assert contents(folder) == EXPECTED


@pytest.mark.parametrize("top", ["", "my export", "a/b"])
def test_zip_with_any_top_folder(folder, tmp_path, zip_bytes, top):
    (tmp_path / "export.zip").write_bytes(zip_bytes(folder, top))
    assert contents(tmp_path / "export.zip") == EXPECTED


def test_folder_above_the_export(folder):
    assert contents(folder.parent) == EXPECTED


def test_files_that_macos_adds_are_skipped(folder, write_files, tmp_path, zip_bytes):
    litter = {"__MACOSX/._labelmap.txt": b"\0\5", "__MACOSX/labelmap.txt": "", "JPEGImages/._a.jpg": b"\0\5"}
    write_files(folder, litter)
    assert contents(folder) == EXPECTED
    (tmp_path / "export.zip").write_bytes(zip_bytes(folder))
    assert contents(tmp_path / "export.zip") == EXPECTED


def test_several_exports_in_one_archive_are_listed(zip_of):
    with pytest.raises(UserError, match=r"export\.zip: contains 2 exports \(good/, old/\): choose one of them"):
        open_archive(zip_of({"good/labelmap.txt": "one", "old/labelmap.txt": "another"}), ["labelmap.txt"], "an export")


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png"])
def test_path_that_leaves_the_archive_is_a_user_error(zip_of, name):
    with pytest.raises(UserError, match=r"export\.zip: contains the path .*evil\.png', which leaves the archive"):
        open_archive(zip_of({**FILES, name: b""}), ["labelmap.txt"], "an export")


def test_truncated_zip_is_a_user_error(folder, tmp_path, zip_bytes):
    whole = zip_bytes(folder)
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"half\.zip: is not a complete zip .*download the export again"):
        open_archive(tmp_path / "half.zip", ["labelmap.txt"], "an export")


@pytest.mark.parametrize("damaged", [slice(60, 64), slice(-200, -196)], ids=["deflate", "checksum"])
def test_damaged_member_is_a_user_error_when_read(tmp_path, damaged):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labelmap.txt", "".join(f"label {n}:{n % 251},{n % 13},0::\n" for n in range(2000)))
    data = bytearray(buffer.getvalue())
    data[damaged] = b"\xff\xff\xff\xff"
    (tmp_path / "export.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"export\.zip: labelmap\.txt cannot be unpacked"):
        contents(tmp_path / "export.zip")


def test_missing_marker_is_a_user_error(tmp_path, write_files):
    with pytest.raises(UserError, match=r"nowhere\.zip: no such file or folder"):
        open_archive(tmp_path / "nowhere.zip", ["labelmap.txt"], "an export")
    write_files(tmp_path, {"coco/annotations.json": "{}"})
    with pytest.raises(UserError, match=r"coco: does not contain labelmap\.txt or classes; expected an export"):
        open_archive(tmp_path / "coco", ["labelmap.txt", "classes/"], "an export")
