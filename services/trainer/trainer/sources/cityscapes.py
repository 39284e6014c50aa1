"""``segstack data import cityscapes``: the official zips, or the folders they unpack to.

Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016. Names, label ids, train ids
and colours are those of the label table in its own scripts. The published splits train and val are kept; the test
images' labels are not public, so those images are skipped.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, ClassInfo
from trainer.errors import UserError, counted, require_absent
from trainer.sources.archive import Archive, open_archive
from trainer.sources.images import EncodedImage
from trainer.sources.masks.decode import require_same_size
from trainer.sources.masks.label_values import LabelValues
from trainer.sources.masks.reader import decode_ids
from trainer.sources.writing import DEFAULT_SPLIT, ImportReport, LabelledImage, write_dataset

# Label id, name and colour, in the order of the train ids.
_LABELS = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
_LAST_LABEL_ID = 33

CLASSES = tuple(ClassInfo(train_id, name, color) for train_id, (_, name, color) in enumerate(_LABELS))
LABEL_IDS = LabelValues(
    dict.fromkeys(range(_LAST_LABEL_ID + 1), IGNORE_ID) | {label: n for n, (label, _, _) in enumerate(_LABELS)}
)
TRAIN_IDS = LabelValues({c.id: c.id for c in CLASSES})

_SPLITS = {"train": "train", "val": "validation"}
_IMAGE = re.compile(r"leftImg8bit/(\w+)/[^/]+/([^/]+)_leftImg8bit\.png")
_MASK = re.compile(r"gtFine/\w+/[^/]+/([^/]+)_gtFine_(labelIds|labelTrainIds)\.png")


def import_cityscapes(sources: Sequence[Path], output: Path) -> ImportReport:
    """Read Cityscapes' images and fine labels into the new data set ``output``.

    Args:
        sources: ``leftImg8bit_trainvaltest.zip`` and ``gtFine_trainvaltest.zip``, or folders of them, or
            what they unpack to.
        output: a new folder.

    Raises:
        UserError: images or labels are missing, or a label cannot be used. Nothing is written then.
    """
    require_absent(output)
    archives = _archives(sources)
    images, masks = _images(archives), _masks(archives)
    for found, what, zipped in ((images, "images", "leftImg8bit"), (masks, "labels", "gtFine")):
        if not found:
            raise UserError(
                f"{', '.join(map(str, sources))}: no {what} of Cityscapes; expected {zipped}_trainvaltest.zip or the "
                f"folder {zipped}/, as downloaded from https://www.cityscapes-dataset.com"
            )
    test_images = sum(split == "test" for split, _ in images.values())
    images = {i: (_SPLITS[split], image) for i, (split, image) in images.items() if split in _SPLITS}
    usable = sorted(images.keys() & masks.keys())
    if not usable:
        raise UserError(f"{', '.join(map(str, sources))}: no label belongs to an image: take both from one download")
    report = ImportReport(unlabelled=sorted(images.keys() - masks.keys()))
    if test_images:
        report.notes.append(f"{counted(test_images, 'test image')} skipped: their labels are not public")
    labelled = (
        LabelledImage(item_id, images[item_id][1], partial(_read_mask, *masks[item_id]), images[item_id][0])
        for item_id in usable
    )
    return write_dataset(labelled, len(usable), CLASSES, output, DEFAULT_SPLIT, report)


def _archives(sources: Sequence[Path]) -> list[Archive]:
    zips = [z for s in sources if s.is_dir() for z in sorted(s.glob("*_trainvaltest.zip"))]
    folders = [s for s in sources if not any(z.parent == s for z in zips)]
    markers, expected = ("leftImg8bit/", "gtFine/"), "Cityscapes' own zips, or the folders in them"
    return [open_archive(path, markers, expected) for path in [*zips, *folders]]


def _images(archives: Sequence[Archive]) -> dict[str, tuple[str, EncodedImage]]:
    """The published split and the file of every image, by its id.

    Raises:
        UserError: an image is in two splits, which never happens in the published set.
    """
    images: dict[str, tuple[str, EncodedImage]] = {}
    for archive in archives:
        for name in archive.names:
            match = _IMAGE.fullmatch(name)
            if match is None:
                continue
            split, image = images.setdefault(match[2], (match[1], _encoded(archive, name)))
            if split != match[1]:
                raise UserError(
                    f"{archive.path}: {name} is in the split {split} too ({image.name}): rename or remove one of them"
                )
    return images


def _masks(archives: Sequence[Archive]) -> dict[str, tuple[LabelValues, EncodedImage]]:
    """Every mask and how its values are read, by image id.

    Label ids are preferred: train ids are written by a script in which users may change them.
    """
    found = [(_MASK.fullmatch(name), _encoded(archive, name)) for archive in archives for name in archive.names]
    train_ids = {m[1]: (TRAIN_IDS, mask) for m, mask in found if m and m[2] == "labelTrainIds"}
    return train_ids | {m[1]: (LABEL_IDS, mask) for m, mask in found if m and m[2] == "labelIds"}


def _encoded(archive: Archive, name: str) -> EncodedImage:
    return EncodedImage(f"{archive.path}: {name}", partial(archive.read, name))


def _read_mask(values: LabelValues, mask: EncodedImage, height: int, width: int) -> NDArray[np.uint8]:
    ids = values.ids(decode_ids(mask.read(), mask.name), mask.name)
    require_same_size(ids, height, width, mask.name)
    return ids
