"""A data set with augmented variants of its training images, ready to be trained on."""

import filecmp
import os
import shutil
from dataclasses import replace
from pathlib import Path

from contract.durable import replacing
from trainer.augmentation.labelled_source import labelled_items
from trainer.augmentation.variants import Layout, Variants, augment
from trainer.datasets.dataset import Dataset, Item
from trainer.errors import UserError

_LAYOUT = Layout("images", "masks", None)


def augment_dataset(dataset: Dataset, output: Path, variants: Variants, workers: int | None = None) -> int:
    """Write ``dataset`` and variants of its training images as a new data set; return how many were there already.

    A variant stays in its image's split, also when the set is divided anew. The index is written last, so a folder
    that a stopped run left is no data set yet.

    Raises:
        UserError: the folder holds something else or earlier labels, an image has a variant's name, or one cannot be
            read.
    """
    items = dataset.split("train")
    _refuse_twins(dataset, items, variants)
    _refuse_changed(dataset, output)
    there = augment(labelled_items(dataset, items), dataset.classes, output, variants, _LAYOUT, workers)
    for item in dataset.items:
        for file in (item.image, item.mask):
            _link(dataset.root / file, output / file)
    made = tuple(_variant(item, number, variants) for item in items for number in range(variants.copies))
    Dataset(output, dataset.classes, dataset.items + made, dataset.split_seed).save()
    return there


def _refuse_twins(dataset: Dataset, items: list[Item], variants: Variants) -> None:
    """An image that is called like a variant would be taken for it: the set has been augmented before."""
    names = {variants.name(item.id, number) for item in items for number in range(variants.copies)}
    for item in dataset.items:
        if item.id in names:
            raise UserError(
                f"{dataset.root}: holds an image {item.id!r} already, as variants are called: augment the data set "
                "that this one was made from"
            )


def _refuse_changed(dataset: Dataset, output: Path) -> None:
    """What an earlier run left, variants too, shows what the labels were then."""
    for item in dataset.items:
        for file in (item.image, item.mask):
            source, target = dataset.root / file, output / file
            if target.exists() and not (source.samefile(target) or filecmp.cmp(source, target, shallow=False)):
                raise UserError(
                    f"{target} is not {source} any more, so the images or labels have changed since the variants were "
                    "made: name a new folder with --output, or remove it first"
                )


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
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
