"""A data set with augmented variants of its training images, ready to be trained on."""

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from trainer.data.augmentation import Layout, Variants, augment
from trainer.data.dataset import Dataset, Item
from trainer.data.labelled_source import labelled_items

_LAYOUT = Layout("images", "masks", None)


def augment_dataset(dataset: Dataset, output: Path, variants: Variants, workers: int | None = None) -> int:
    """Write ``dataset`` and variants of its training images as a new data set; return how many were there already.

    A variant stays in its image's split, also when the set is divided anew. The index is written last, so a folder
    that a stopped run left is no data set yet.

    Raises:
        UserError: the folder holds something else, or an image cannot be read.
    """
    items = dataset.split("train")
    there = augment(labelled_items(dataset, items), dataset.classes, output, variants, _LAYOUT, workers)
    for item in dataset.items:
        for file in (item.image, item.mask):
            _link(dataset.root / file, output / file)
    made = tuple(_variant(item, number, variants) for item in items for number in range(variants.copies))
    Dataset(output, dataset.classes, dataset.items + made, dataset.split_seed).save()
    return there


def _variant(item: Item, number: int, variants: Variants) -> Item:
    image, mask = variants.files(item.id, number, _LAYOUT)
    return replace(item, id=variants.name(item.id, number), image=image, mask=mask, group=item.group or item.id)


def _link(source: Path, target: Path) -> None:
    """The same file under another name where the disk allows it, else a copy."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        beside = target.with_name(f".tmp-{target.name}")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        shutil.copyfile(source, beside)
        beside.replace(target)
