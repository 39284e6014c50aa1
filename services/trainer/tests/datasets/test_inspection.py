"""Inspecting pairs of files, once and again when they change; and the checksum."""

import dataclasses
import json
import os
import shutil

import cv2
import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets import inspection
from trainer.datasets.dataset import Dataset, Item, load_dataset
from trainer.datasets.inspection import CACHE_NAME, checksum, inspect, inspect_all

ITEM = Item("a", "images/a.png", "masks/a.png")
HEIGHT, WIDTH = 48, 64
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[8:40, 10:50] = 12
MASK[12:20, 12:20] = 255


def photo(seed=0, height=HEIGHT, width=WIDTH):
    """Smooth, as photographs are: its fingerprint does not depend on single pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def inspected(tmp_path, write_files):
    def run(image=None, mask=MASK, item=ITEM):
        files = {item.image: photo() if image is None else image, item.mask: mask}
        write_files(tmp_path, {name: content for name, content in files.items() if content is not False})
        return inspect(tmp_path, item)

    return run


class TestValidPair:
    def test_size_and_pixels_by_value(self, inspected):
        found = inspected()
        assert (found.height, found.width) == (HEIGHT, WIDTH)
        assert found.pixels == {0: HEIGHT * WIDTH - 32 * 40, 12: 32 * 40 - 64, 255: 64}
        assert found.faults == ()
        assert not found.blurred

    def test_equal_pixels_have_equal_digests_in_any_format(self, inspected, encode_image):
        again = cv2.imencode(".png", photo()[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
        assert again != encode_image(photo(), ".png")
        assert inspected().digest == inspected(again).digest
        assert inspected().digest != inspected(photo(1)).digest

    def test_similar_images_have_fingerprints_a_few_bits_apart(self, inspected, encode_image):
        jpeg = Item("a", "images/a.jpg", "masks/a.png")
        original, recompressed, other = inspected(), inspected(encode_image(photo(), ".jpg"), item=jpeg), photo(1)
        assert original.digest != recompressed.digest
        assert (original.fingerprint ^ recompressed.fingerprint).bit_count() <= 3
        assert (original.fingerprint ^ inspected(other).fingerprint).bit_count() > 10


class TestFaults:
    """Each names the file, what is wrong and what to do."""

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (False, "images/a.png: is missing; restore the file"),
            (b"", "images/a.png: is empty; restore the file"),
            (b"GIF89a", "images/a.png: is neither JPEG nor PNG, despite its name; convert it"),
            (b"\x89PNG\r\n\x1a\n and then nothing", "images/a.png: cannot be decoded"),
            (photo(height=HEIGHT // 2), "masks/a.png: is 64x48 but images/a.png is 64x24 (width x height)"),
        ],
    )
    def test_invalid_image_is_a_fault(self, inspected, image, message):
        (fault,) = inspected(image).faults
        assert str(fault).startswith(message)

    @pytest.mark.parametrize("suffix", [".jpg", ".png"])
    def test_truncated_file_is_a_fault(self, inspected, encode_image, suffix):
        item = Item("a", f"images/a{suffix}", "masks/a.png")
        whole = encode_image(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), suffix)
        (fault,) = inspected(whole[: len(whole) // 2], item=item).faults
        assert str(fault).startswith(f"images/a{suffix}: cannot be decoded: it is damaged or incomplete")

    def test_exif_orientation_is_a_fault(self, inspected, encode_image):
        """Orientation 6: a quarter turn to the right."""
        tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
        body = b"Exif\x00\x00" + tiff
        jpeg = encode_image(photo(), ".jpg")
        turned = jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + jpeg[2:]
        (fault,) = inspected(turned).faults
        assert fault.what == "has an EXIF orientation, which training does not apply"

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (False, "is missing"),
            (photo(), "is not an 8-bit greyscale PNG"),
            (MASK.astype(np.uint16), "is not an 8-bit greyscale PNG"),
            (b"\xff\xd8\xff\xe0", "is not PNG, despite its name"),
            (b"\x89PNG\r\n\x1a\n", "cannot be decoded: it is damaged or incomplete"),
        ],
    )
    def test_invalid_mask_is_a_fault(self, inspected, mask, message):
        (fault,) = inspected(mask=mask).faults
        assert (fault.file, fault.what) == ("masks/a.png", message)

    def test_two_invalid_files_are_two_faults(self, inspected):
        assert [fault.file for fault in inspected(False, False).faults] == ["images/a.png", "masks/a.png"]


class TestBlur:
    @pytest.mark.parametrize("size", [(40, 30), (100, 75)])
    def test_interpolated_mask_is_detected_by_its_borders(self, inspected, size):
        smooth = cv2.resize(MASK, size, interpolation=cv2.INTER_LINEAR)
        assert inspected(photo(0, *size[::-1]), smooth).blurred

    @pytest.mark.parametrize("size", [(40, 30), (100, 75)])
    def test_nearest_neighbour_is_not_blurred(self, inspected, size):
        assert not inspected(photo(0, *size[::-1]), cv2.resize(MASK, size, interpolation=cv2.INTER_NEAREST)).blurred

    def test_thin_objects_and_many_classes_are_not_blurred(self, inspected):
        lines = np.zeros((HEIGHT, WIDTH), np.uint8)
        lines[:, ::4], lines[::6] = 5, 9
        assert not inspected(mask=lines).blurred
        blocks = np.arange(HEIGHT * WIDTH // 64, dtype=np.uint8).reshape(6, 8).repeat(8, 0).repeat(8, 1)
        assert not inspected(mask=blocks).blurred


IDS = ["b", "a", "day 1/c"]


@pytest.fixture
def pairs(tmp_path, write_files):
    for number, name in enumerate(IDS):
        write_files(
            tmp_path,
            {
                f"images/{name}.png": np.full((4, 5, 3), number, np.uint8),
                f"masks/{name}.png": np.eye(4, 5, dtype=np.uint8),
            },
        )
    return Dataset(tmp_path, (), tuple(Item(i, f"images/{i}.png", f"masks/{i}.png") for i in IDS))


@pytest.fixture
def read(monkeypatch):
    """The ids of the pairs whose files were opened, in order."""
    ids = []

    def inspect(root, item):
        ids.append(item.id)
        return original(root, item)

    original = inspection.inspect
    monkeypatch.setattr(inspection, "inspect", inspect)
    return ids


def test_inspections_come_in_the_order_of_the_items(pairs):
    digests = [found.digest for found in inspect_all(pairs)]
    turned = Dataset(pairs.root, (), pairs.items[::-1])
    assert [found.digest for found in inspect_all(turned, ignore_cache=True)] == digests[::-1]
    assert len(set(digests)) == 3


def test_unchanged_files_are_not_read_again(pairs, read):
    first = inspect_all(pairs)
    assert inspect_all(pairs) == first
    assert sorted(read) == sorted(IDS)


def test_changed_file_is_read_again(pairs, read):
    inspect_all(pairs)
    read.clear()
    mask = pairs.root / "masks/a.png"
    status = mask.stat()
    os.utime(mask, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    inspect_all(pairs)
    assert read == ["a"]


def test_faulty_pair_is_read_until_it_is_repaired(pairs, read, write_files):
    (pairs.root / "images/a.png").write_bytes(b"")
    assert [bool(found.faults) for found in inspect_all(pairs)] == [False, True, False]
    write_files(pairs.root, {"images/a.png": np.zeros((4, 5, 3), np.uint8)})
    read.clear()
    assert not any(found.faults for found in inspect_all(pairs))
    assert read == ["a"]


def test_ignore_cache_reads_everything(pairs, read):
    inspect_all(pairs)
    inspect_all(pairs, ignore_cache=True)
    assert len(read) == 6


@pytest.mark.parametrize("content", ["", "[]", '{"version": 0}', '{"version": 1, "pairs": {"a": 3}}'])
def test_unreadable_cache_is_ignored(pairs, read, content):
    (pairs.root / CACHE_NAME).write_text(content)
    inspect_all(pairs)
    assert len(read) == 3
    assert json.loads((pairs.root / CACHE_NAME).read_text())["pairs"].keys() == set(IDS)


def test_read_only_folder_is_read_each_time(pairs, read, monkeypatch):
    def refuse(path, text):
        raise PermissionError(f"{path}: read-only file system")

    monkeypatch.setattr(inspection, "replace_file", refuse)
    inspect_all(pairs)
    inspect_all(pairs)
    assert len(read) == 6
    assert not (pairs.root / CACHE_NAME).exists()


@pytest.fixture
def copied(dataset, tmp_path):
    shutil.copytree(dataset.root, tmp_path / "elsewhere")
    return load_dataset(tmp_path / "elsewhere")


def test_folder_and_order_do_not_change_the_checksum(dataset, copied):
    assert checksum(dataclasses.replace(copied, items=copied.items[::-1])) == checksum(dataset)


@pytest.mark.parametrize("folder", ["image", "mask"])
def test_changed_file_changes_the_checksum(dataset, copied, write_files, folder):
    name = getattr(copied.items[0], folder)
    shape = (64, 96, 3) if folder == "image" else (64, 96)
    write_files(copied.root, {name: np.zeros(shape, np.uint8)})
    assert checksum(copied) != checksum(dataset)


def test_missing_image_other_splits_or_another_class_change_the_checksum(dataset):
    others = [
        dataclasses.replace(dataset, items=dataset.items[1:]),
        dataclasses.replace(dataset, split_seed=dataset.split_seed + 1),
        dataclasses.replace(dataset, classes=(*dataset.classes, ClassInfo(len(dataset.classes), "pear", (9, 9, 9)))),
    ]
    assert len({checksum(other) for other in [dataset, *others]}) == 4
