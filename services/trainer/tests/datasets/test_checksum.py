"""The checksum of a data set: what changes it and what does not."""

import dataclasses
import shutil

import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.checksum import checksum
from trainer.datasets.dataset import load_dataset


@pytest.fixture
def copied(dataset, tmp_path):
    shutil.copytree(dataset.root, tmp_path / "elsewhere")
    return load_dataset(tmp_path / "elsewhere")


def test_neither_folder_nor_order_changes_it(dataset, copied):
    assert checksum(dataclasses.replace(copied, items=copied.items[::-1])) == checksum(dataset)


@pytest.mark.parametrize("folder", ["image", "mask"])
def test_a_changed_file_changes_it(dataset, copied, write_files, folder):
    name = getattr(copied.items[0], folder)
    shape = (64, 96, 3) if folder == "image" else (64, 96)
    write_files(copied.root, {name: np.zeros(shape, np.uint8)})
    assert checksum(copied) != checksum(dataset)


def test_a_missing_image_other_splits_or_another_class_change_it(dataset):
    others = [
        dataclasses.replace(dataset, items=dataset.items[1:]),
        dataclasses.replace(dataset, split_seed=dataset.split_seed + 1),
        dataclasses.replace(dataset, classes=(*dataset.classes, ClassInfo(len(dataset.classes), "pear", (9, 9, 9)))),
    ]
    assert len({checksum(other) for other in [dataset, *others]}) == 4
