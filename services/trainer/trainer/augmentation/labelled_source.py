"""The labelled images to augment, in a data set or in folders; each is read when it is needed."""

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
from trainer.sources.masks.reader import LabelMapping, MaskReader, mask_reader, read_mask


@dataclass(frozen=True)
class LabelledInput:
    """One labelled image: its id, and a function that reads it (which may raise UserError)."""

    id: str
    read: Callable[[], Pair]


def labelled_items(dataset: Dataset, items: list[Item]) -> list[LabelledInput]:
    """The items of a data set."""
    return [LabelledInput(item.id, partial(read_pair, dataset, item)) for item in items]


def labelled_files(
    images: Path, masks: Path, label_map: Path, objects: Path | None = None
) -> tuple[list[LabelledInput], tuple[ClassInfo, ...]]:
    """Images and masks of two folders, paired by name, and their classes; prints the number of images without a mask.

    Args:
        images: a folder of images.
        masks: a folder of masks of the label map's colours, or of ids.
        label_map: ``labelmap.txt`` as CVAT writes it, or another class file.
        objects: a folder of instance masks named as the masks, with a colour or value per instance; black is none.

    Raises:
        UserError: a folder is missing or empty, no name occurs in all, masks are in a lossy format, or the label map
            is invalid.
    """
    found, labels = find_images(open_archive(images)), masks_of(open_archive(masks))
    instances = find_images(open_archive(objects)) if objects is not None else {}
    names = pair_by_name(found, labels)
    if not names:
        raise UserError(f"no mask in {masks} has the name of an image in {images}: name each mask like its image")
    if objects is not None and not any(name in instances for name in names.values()):
        raise UserError(f"no instance mask in {objects} has the name of a mask in {masks}: name each like its mask")
    if len(names) < len(found):
        without = first_few(sorted(found.keys() - names.keys()))
        print(
            f"{len(found) - len(names)} of {len(found)} images have no mask; skipped: {without}",
            file=sys.stderr,
        )
    reader = mask_reader(LabelMapping(label_map), lambda: set())
    labelled = [
        LabelledInput(item_id, partial(_read_files, found[item_id], labels[name], instances.get(name), reader))
        for item_id, name in names.items()
    ]
    return labelled, reader.classes


def _read_files(encoded: EncodedImage, label: EncodedImage, instances: EncodedImage | None, reader: MaskReader) -> Pair:
    image = cv2.cvtColor(decode_upright(encoded.read(), encoded.name), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    mask = read_mask(reader, label, height, width)
    if instances is None:
        return Pair(np.asarray(image, np.uint8), mask)
    objects = decode_mask(instances.read(), instances.name)
    require_same_size(objects, height, width, instances.name)
    return Pair(np.asarray(image, np.uint8), mask, _instance_ids(objects))


def _instance_ids(objects: NDArray[np.uint8]) -> NDArray[np.int32]:
    """An id for each colour [H, W, 3] or value [H, W]; black is 0, no instance."""
    wide = objects.astype(np.int32)
    return wide if wide.ndim == 2 else wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
