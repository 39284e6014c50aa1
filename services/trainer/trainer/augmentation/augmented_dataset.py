"""A data set with augmented variants of its training images."""

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
    """Write ``dataset`` and variants of its training images as a new data set; return the number of existing variants.

    A variant stays in its image's split, also with another split seed. The index is written last, so the folder of an
    interrupted run is not a data set yet.

    Raises:
        UserError: the folder contains something else or other labels, an image has a variant's name, or an image
            cannot be read.
    """
    items = dataset.split("train")
    _require_no_variants(dataset, items, variants)
    _require_unchanged(dataset, output)
    existing = augment(labelled_items(dataset, items), dataset.classes, output, variants, _LAYOUT, workers)
    for item in dataset.items:
        for file in (item.image, item.mask):
            _link(dataset.root / file, output / file)
    added = tuple(_variant(item, number, variants) for item in items for number in range(variants.copies))
    Dataset(output, dataset.classes, dataset.items + added, dataset.split_seed).save()
    return existing


def _require_no_variants(dataset: Dataset, items: list[Item], variants: Variants) -> None:
    """Raise UserError if an image has a variant's name, as in a data set that has been augmented before."""
    names = {variants.name(item.id, number) for item in items for number in range(variants.copies)}
    for item in dataset.items:
        if item.id in names:
            raise UserError(
                f"{dataset.root}: has an image {item.id!r}, which is a variant's name: augment the original data set "
                "instead"
            )


def _require_unchanged(dataset: Dataset, output: Path) -> None:
    """Raise UserError if images or labels have changed since an earlier run wrote the output."""
    for item in dataset.items:
        for file in (item.image, item.mask):
            source, target = dataset.root / file, output / file
            if target.exists() and not (source.samefile(target) or filecmp.cmp(source, target, shallow=False)):
                raise UserError(
                    f"{target} differs from {source}, so the images or labels have changed since the variants were "
                    "written: name a new folder with --output, or remove it first"
                )


def _variant(item: Item, number: int, variants: Variants) -> Item:
    image, mask = variants.files(item.id, number, _LAYOUT)
    return replace(item, id=variants.name(item.id, number), image=image, mask=mask, group=item.group or item.id)


def _link(source: Path, target: Path) -> None:
    """A hard link if the file system allows it, or else a copy."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with replacing(target, durable=False) as temporary:
            shutil.copyfile(source, temporary)
