"""A data set's pairs are read once, and again when their files change."""

import json
import os

import numpy as np
import pytest

from trainer.datasets import inspections
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.inspections import CACHE_NAME, inspect_all

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

    original = inspections.inspect
    monkeypatch.setattr(inspections, "inspect", inspect)
    return ids


def test_they_come_in_the_order_of_the_items(pairs):
    digests = [inspection.digest for inspection in inspect_all(pairs)]
    turned = Dataset(pairs.root, (), pairs.items[::-1])
    assert [inspection.digest for inspection in inspect_all(turned, afresh=True)] == digests[::-1]
    assert len(set(digests)) == 3


def test_what_has_not_changed_is_not_read_again(pairs, read):
    first = inspect_all(pairs)
    assert inspect_all(pairs) == first
    assert sorted(read) == sorted(IDS)


def test_what_has_changed_is(pairs, read):
    inspect_all(pairs)
    read.clear()
    mask = pairs.root / "masks/a.png"
    status = mask.stat()
    os.utime(mask, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    inspect_all(pairs)
    assert read == ["a"]


def test_what_is_faulty_is_read_until_it_is_mended(pairs, read, write_files):
    (pairs.root / "images/a.png").write_bytes(b"")
    assert [bool(inspection.faults) for inspection in inspect_all(pairs)] == [False, True, False]
    write_files(pairs.root, {"images/a.png": np.zeros((4, 5, 3), np.uint8)})
    read.clear()
    assert not any(inspection.faults for inspection in inspect_all(pairs))
    assert read == ["a"]


def test_afresh_reads_all(pairs, read):
    inspect_all(pairs)
    inspect_all(pairs, afresh=True)
    assert len(read) == 6


@pytest.mark.parametrize("content", ["", "[]", '{"version": 0}', '{"version": 1, "pairs": {"a": 3}}'])
def test_a_cache_that_is_not_ours_counts_for_nothing(pairs, read, content):
    (pairs.root / CACHE_NAME).write_text(content)
    inspect_all(pairs)
    assert len(read) == 3
    assert json.loads((pairs.root / CACHE_NAME).read_text())["pairs"].keys() == set(IDS)


def test_a_folder_that_cannot_be_written_is_read_each_time(pairs, read, monkeypatch):
    def refuse(path, text):
        raise PermissionError(f"{path}: read-only file system")

    monkeypatch.setattr(inspections, "replace_file", refuse)
    inspect_all(pairs)
    inspect_all(pairs)
    assert len(read) == 6
    assert not (pairs.root / CACHE_NAME).exists()
