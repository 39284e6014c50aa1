"""``data import-cvat``: CVAT's "Segmentation mask 1.1" export to a data set that can be trusted.

A frame that is listed and has no mask is all background; an image that is neither listed nor drawn is unlabelled and
left out. Everything is read and checked in a folder beside the target, which appears only when all of it is right.
"""

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.data.archive import Archive, open_archive
from trainer.data.cvat_masks import Masks
from trainer.data.dataset import Dataset, Item, split_of
from trainer.data.import_report import ImportReport
from trainer.data.labelmap import parse_labelmap
from trainer.errors import UserError
from trainer.progress import progress

_LISTS, _IMAGES = "ImageSets/Segmentation/", "JPEGImages/"
_KEPT_AS_THEY_ARE = {".jpg", ".jpeg", ".png"}
_IMAGE_SUFFIXES = {*_KEPT_AS_THEY_ARE, ".bmp", ".webp", ".tif", ".tiff"}


def import_cvat(
    export: Path,
    output: Path,
    images: Path | None = None,
    split_seed: int = 0,
    trust_unlabelled: bool = False,
) -> ImportReport:
    """Read a CVAT export (zip or folder) into the new data set ``output``.

    Args:
        export: the zip or folder that holds ``labelmap.txt``.
        output: a folder that does not exist yet.
        images: where the images are, when the export does not hold them.
        split_seed: which of the possible divisions into train, validation and test.
        trust_unlabelled: take a class where SegmentationObject has no object; see :class:`Masks`.

    Raises:
        UserError: anything about the export that makes a label doubtful. Nothing is written then.
    """
    if output.exists():
        raise UserError(f"{output} exists already: name a new folder with --output, or remove it first")
    archive = open_archive(export, "labelmap.txt")
    labelmap = parse_labelmap(_text(archive, "labelmap.txt"), f"{export}: labelmap.txt")
    listed = _listed_ids(archive)
    masks = Masks(archive, labelmap, export, trust_unlabelled)
    pictures = _pictures(archive, images)
    if not pictures:
        raise UserError(f'{export}: holds no images. Export again with "Save images" ticked, or give --images FOLDER')

    report = ImportReport(
        unlabelled=sorted(pictures.keys() - listed.keys() - masks.names.keys()),
        unlisted=sorted(masks.names.keys() - listed.keys()),
        without_image=sorted((listed.keys() | masks.names.keys()) - pictures.keys()),
        pixels=Counter({c.name: 0 for c in labelmap.classes}),
    )
    ids = [i for i in [*listed, *report.unlisted] if i in pictures]
    if not ids:
        raise UserError(
            f"{export}: no image belongs to any of its {len(listed) + len(report.unlisted)} labels. The names must "
            f"agree: a label is called {next(iter([*listed, *masks.names]), None)!r}, an image {next(iter(pictures))!r}"
        )

    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".tmp-{output.name}-{os.getpid()}")
    try:
        items, faults = [], []
        with progress(ids, "importing", "image") as bar:
            for item_id in bar:
                try:
                    item, class_ids = _import_one(item_id, pictures[item_id], masks, beside)
                    items.append(item)
                    report.add(class_ids, labelmap.classes, split_of(item_id, split_seed))
                except UserError as error:
                    faults.append(str(error))
        _refuse(faults, len(ids))
        Dataset(beside, labelmap.classes, tuple(items), split_seed).save()
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def _refuse(faults: list[str], labels: int) -> None:
    """Say how many labels are at fault and show the first few."""
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        shown = "".join(f"\n  {fault}" for fault in faults[:3])
        raise UserError(f"{len(faults)} of {labels} labels cannot be used; nothing was imported. The first:{shown}")


def _import_one(item_id: str, picture: "_Picture", masks: Masks, root: Path) -> tuple[Item, NDArray[np.uint8]]:
    data = picture.read()
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if upright is None:
        raise UserError(f"{picture.name}: cannot be decoded as an image: replace it, or remove its label")
    height, width = upright.shape[:2]
    ids = masks.read(item_id, height, width)

    suffix = PurePosixPath(picture.name).suffix.lower()
    as_it_is = suffix in _KEPT_AS_THEY_ARE and not _is_turned(data, upright)
    item = Item(item_id, f"images/{item_id}{suffix if as_it_is else '.png'}", f"masks/{item_id}.png")
    _write(root / item.image, data if as_it_is else _png(upright))
    _write(root / item.mask, _png(ids))
    return item, ids


@dataclass(frozen=True)
class _Picture:
    name: str
    source: Archive | Path

    def read(self) -> bytes:
        return self.source.read_bytes() if isinstance(self.source, Path) else self.source.read(self.name)


def _pictures(archive: Archive, folder: Path | None) -> dict[str, _Picture]:
    """Every image by its id: its path without the suffix (an id may hold folders, dots and spaces)."""
    if folder is not None:
        if not folder.is_dir():
            raise UserError(f"--images {folder}: no such folder")
        files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _IMAGE_SUFFIXES]
        found = [(p.relative_to(folder).as_posix(), _Picture(str(p), p)) for p in files]
    else:
        names = [n for n in archive.names if n.startswith(_IMAGES)]
        found = [(n[len(_IMAGES) :], _Picture(n, archive)) for n in names]
    pictures: dict[str, _Picture] = {}
    for name, picture in found:
        suffix = PurePosixPath(name).suffix
        if suffix.lower() not in _IMAGE_SUFFIXES:
            continue
        item_id = name.removesuffix(suffix)
        if item_id in pictures:
            raise UserError(f"{picture.name} and {pictures[item_id].name} share one id: remove or rename one")
        pictures[item_id] = picture
    return pictures


def _listed_ids(archive: Archive) -> dict[str, None]:
    """The ids of every subset file, in order, each once."""
    ids: dict[str, None] = {}
    for name in archive.names:
        if name.startswith(_LISTS) and name.endswith(".txt"):
            for line in _text(archive, name).splitlines():
                item_id = line.strip()
                if item_id and (PurePosixPath(item_id).is_absolute() or ".." in PurePosixPath(item_id).parts):
                    raise UserError(f"{name}: lists {item_id!r}, which leaves the export; nothing was written")
                if item_id:
                    ids[item_id] = None
    return ids


def _text(archive: Archive, name: str) -> str:
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8 text ({error})") from None


def _is_turned(data: bytes, upright: NDArray) -> bool:
    """Whether the file's EXIF orientation changes how it is seen."""
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return raw is None or not np.array_equal(raw, upright)


def _png(image: NDArray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
