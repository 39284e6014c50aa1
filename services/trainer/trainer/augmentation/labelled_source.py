"""Labelled images to take as they lie, in a data set or in folders, each read when it is needed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.pair import Pair, read_pair
from trainer.errors import UserError, first_few
from trainer.sources.archive import open_archive
from trainer.sources.folder import masks_of, pair_by_name
from trainer.sources.images import EncodedImage, decode_upright, find_images
from trainer.sources.masks.decode import decode_mask, require_same_size
from trainer.sources.masks.reader import LabelMapping, MaskReader, mask_reader


@dataclass(frozen=True)
class Labelled:
    """One labelled image: its id, and how it is read (which may raise UserError)."""

    id: str
    read: Callable[[], Pair]


def labelled_items(dataset: Dataset, items: list[Item]) -> list[Labelled]:
    """Items of a data set."""
    return [Labelled(item.id, partial(read_pair, dataset, item)) for item in items]


def labelled_files(
    images: Path, masks: Path, label_map: Path, objects: Path | None = None
) -> tuple[list[Labelled], tuple[ClassInfo, ...]]:
    """Images and masks of two folders, paired by name, and their classes; says how many images have no mask.

    Args:
        images: a folder of images.
        masks: a folder of masks in the label map's colours, or of ids.
        label_map: ``labelmap.txt`` as CVAT writes it, or another class file.
        objects: a folder of instance masks with the masks' names, a colour or a number an object; black is none.

    Raises:
        UserError: a folder is missing or empty, no name occurs in all, masks are of a format that changes values, or
            the label map cannot be used.
    """
    pictures, labels = find_images(open_archive(images)), masks_of(open_archive(masks))
    numbers = find_images(open_archive(objects)) if objects is not None else {}
    names = pair_by_name(pictures, labels)
    if not names:
        raise UserError(f"no mask in {masks} has the name of an image in {images}: name each mask as its image")
    if objects is not None and not any(name in numbers for name in names.values()):
        raise UserError(f"no instance mask in {objects} has the name of a mask in {masks}: name each as its mask")
    if len(names) < len(pictures):
        without = first_few(sorted(pictures.keys() - names.keys()))
        print(
            f"{len(pictures) - len(names)} of {len(pictures)} images have no mask and are left out: {without}",
            file=sys.stderr,
        )
    reader = mask_reader(LabelMapping(label_map), lambda: set())
    labelled = [
        Labelled(item_id, partial(_read_files, pictures[item_id], labels[name], numbers.get(name), reader))
        for item_id, name in names.items()
    ]
    return labelled, reader.classes


def _read_files(picture: EncodedImage, label: EncodedImage, numbers: EncodedImage | None, reader: MaskReader) -> Pair:
    image = cv2.cvtColor(decode_upright(picture.read(), picture.name), cv2.COLOR_BGR2RGB)
    mask = reader.read(label.read(), label.name)
    height, width = image.shape[:2]
    require_same_size(mask, height, width, label.name)
    if numbers is None:
        return Pair(np.asarray(image, np.uint8), mask)
    objects = decode_mask(numbers.read(), numbers.name)
    require_same_size(objects, height, width, numbers.name)
    return Pair(np.asarray(image, np.uint8), mask, _numbered(objects))


def _numbered(objects: NDArray[np.uint8]) -> NDArray[np.int32]:
    """A number for each colour [H, W, 3] or value [H, W]; black, 0, is no object."""
    wide = objects.astype(np.int32)
    return wide if wide.ndim == 2 else wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
