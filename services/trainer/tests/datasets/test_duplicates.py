"""Identical images and near-duplicates."""

from pathlib import Path

import pytest

from trainer.datasets import duplicates
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.duplicates import identical_images, near_duplicates
from trainer.datasets.inspection import Inspection

DISTINCT = 0x0F0F_3C3C_5A5A_1234


def pairs_of(*facts):
    """Items and inspections of (split, digest, fingerprint)."""
    items = tuple(Item(f"{n}", f"images/{n}.png", "", split=split) for n, (split, _, _) in enumerate(facts))
    return Dataset(Path(), (), items), items, [Inspection(digest=d, fingerprint=f) for _, d, f in facts]


def test_group_of_identical_images_is_one_fault():
    facts = [("train", digest, 0) for digest in "abacbda"]
    errors, warnings = identical_images(*pairs_of(*facts))
    assert errors == []
    assert [(fault.file, fault.what.count("images/")) for fault in warnings] == [
        ("images/0.png", 2),
        ("images/1.png", 1),
    ]


@pytest.mark.parametrize(("bits", "similar"), [(0, True), (2, True), (3, False), (20, False)])
def test_near_duplicates_differ_in_at_most_two_bits(bits, similar):
    other = DISTINCT ^ ((1 << bits) - 1) << 7
    found = list(near_duplicates(*pairs_of(("train", "a", DISTINCT), ("test", "b", other))))
    assert [fault.file for fault in found] == (["images/1.png"] if similar else [])


def test_nearest_image_is_named():
    facts = [("train", "a", DISTINCT ^ 1), ("train", "b", DISTINCT), ("validation", "c", DISTINCT)]
    (fault,) = near_duplicates(*pairs_of(*facts))
    assert fault.what.startswith("(validation) looks like images/1.png (train)")


@pytest.mark.parametrize("fingerprint", [0, (1 << 64) - 1, 0b11111])
def test_flat_surfaces_are_not_compared(fingerprint):
    assert not list(near_duplicates(*pairs_of(("train", "a", fingerprint), ("test", "b", fingerprint))))


def test_identical_images_are_not_near_duplicates_too():
    assert not list(near_duplicates(*pairs_of(("train", "a", DISTINCT), ("test", "a", DISTINCT))))


def test_large_set_is_compared_in_blocks(monkeypatch):
    monkeypatch.setattr(duplicates, "_COMPARISONS_PER_BLOCK", 8)
    train = [("train", f"{n}", DISTINCT ^ n << 20) for n in range(7)]
    test = [("test", "x", DISTINCT ^ 6 << 20), ("test", "y", 0x1234_5678), ("test", "z", DISTINCT)]
    (fault,) = near_duplicates(*pairs_of(*train, *test))
    assert "images/6.png" in fault.what
    assert "one of 2 such images" in fault.what
