"""``data import-cvat``: CVAT's "Segmentation mask 1.1" export to a data set that can be trusted.

A frame that is listed and has no mask is all background; an image that is neither listed nor drawn is unlabelled and
left out. Everything is read and checked in a folder beside the target, which appears only when all of it is right.
"""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from trainer.data.archive import Archive, open_archive
from trainer.data.dataset import Dataset, Item
from trainer.data.labelmap import LabelMap, parse_labelmap
from trainer.errors import UserError

_LISTS, _MASKS, _IMAGES = "ImageSets/Segmentation/", "SegmentationClass/", "JPEGImages/"
_KEPT_AS_THEY_ARE = {".jpg", ".jpeg", ".png"}
_IMAGE_SUFFIXES = {*_KEPT_AS_THEY_ARE, ".bmp", ".webp", ".tif", ".tiff"}


@dataclass
class ImportReport:
    """What an import took and what it left, for people to read."""

    images: int = 0
    blank: int = 0
    unlabelled: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    pixels: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        total = max(1, sum(self.pixels.values()))
        lines = [f"{self.images} images, {self.blank} of them without any object"]
        lines += [f"  {name:<20} {count / total:8.3%} of the pixels" for name, count in self.pixels.items()]
        for what, ids in (
            ("have an image but no label and were left out", self.unlabelled),
            ("have a mask but are not in ImageSets; they were taken", self.unlisted),
            ("have a label but no image and were left out", self.without_image),
        ):
            if ids:
                lines.append(f"{len(ids)} {what}: {', '.join(ids[:3])}{', …' if len(ids) > 3 else ''}")
        return "\n".join(lines)


def import_cvat(export: Path, output: Path, images: Path | None = None, split_seed: int = 0) -> ImportReport:
    """Read a CVAT export (zip or folder) into the new data set ``output``.

    Args:
        export: the zip or folder that holds ``labelmap.txt``.
        output: a folder that does not exist yet.
        images: where the images are, when the export does not hold them.
        split_seed: which of the possible divisions into train, validation and test.

    Raises:
        UserError: anything about the export that makes a label doubtful. Nothing is written then.
    """
    if output.exists():
        raise UserError(f"{output} exists already: name a new folder with --output, or remove it first")
    archive = open_archive(export, "labelmap.txt")
    labelmap = parse_labelmap(_text(archive, "labelmap.txt"), f"{export}: labelmap.txt")
    listed = _listed_ids(archive)
    masks = {name[len(_MASKS) : -len(".png")]: name for name in archive.names if _is_mask(name)}
    pictures = _pictures(archive, images)
    if not pictures:
        raise UserError(f'{export}: holds no images. Export again with "Save images" ticked, or give --images FOLDER')

    report = ImportReport(
        unlabelled=sorted(pictures.keys() - listed.keys() - masks.keys()),
        unlisted=sorted(masks.keys() - listed.keys()),
        without_image=sorted((listed.keys() | masks.keys()) - pictures.keys()),
        pixels=Counter({c.name: 0 for c in labelmap.classes}),
    )
    ids = [i for i in [*listed, *report.unlisted] if i in pictures]
    if not ids:
        raise UserError(
            f"{export}: no image belongs to any of its {len(listed) + len(report.unlisted)} labels. The names must "
            f"agree: a label is called {next(iter([*listed, *masks]), None)!r}, an image {next(iter(pictures))!r}"
        )

    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".tmp-{output.name}-{os.getpid()}")
    try:
        items = [
            _import_one(i, pictures[i], masks.get(i), archive, labelmap, beside, report)
            for i in tqdm(ids, "importing", unit="image")
        ]
        Dataset(beside, labelmap.classes, tuple(items), split_seed).save()
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def _import_one(
    item_id: str,
    picture: "_Picture",
    mask_name: str | None,
    archive: Archive,
    labelmap: LabelMap,
    root: Path,
    report: ImportReport,
) -> Item:
    data = picture.read()
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if upright is None:
        raise UserError(f"{picture.name}: cannot be decoded as an image: replace it, or remove its label")
    if mask_name is None:
        ids = np.zeros(upright.shape[:2], np.uint8)
    else:
        ids = labelmap.ids(_decode_mask(archive.read(mask_name), mask_name), mask_name)
    if ids.shape != upright.shape[:2]:
        raise UserError(
            f"{mask_name}: is {ids.shape[1]}x{ids.shape[0]} but its image is {upright.shape[1]}x{upright.shape[0]} "
            "(width x height, upright): they must be equal; never resize one without the other"
        )

    suffix = PurePosixPath(picture.name).suffix.lower()
    as_it_is = suffix in _KEPT_AS_THEY_ARE and not _is_turned(data, upright)
    image = Path("images", item_id + (suffix if as_it_is else ".png"))
    mask = Path("masks", item_id + ".png")
    _write(root / image, data if as_it_is else _png(upright))
    _write(root / mask, _png(ids))

    report.images += 1
    report.blank += not ids.any()
    counts = np.bincount(ids.ravel(), minlength=len(labelmap.classes))
    report.pixels.update({c.name: int(counts[c.id]) for c in labelmap.classes})
    return Item(item_id, image.as_posix(), mask.as_posix())


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


def _is_mask(name: str) -> bool:
    return name.startswith(_MASKS) and name.endswith(".png")


def _text(archive: Archive, name: str) -> str:
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8 text ({error})") from None


def _decode_mask(data: bytes, name: str) -> NDArray[np.uint8]:
    """RGB [H, W, 3], or [H, W] for a single-channel PNG."""
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if mask is None:
        raise UserError(f"{name}: cannot be decoded as a PNG: export it again")
    if mask.dtype != np.uint8:
        raise UserError(f"{name}: has 16 bits a channel: expected an 8-bit PNG of label colours or indices")
    return np.asarray(mask if mask.ndim == 2 else mask[..., 2::-1], np.uint8)


def _is_turned(data: bytes, upright: NDArray) -> bool:
    """Whether the file's EXIF orientation changes how it is seen."""
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return raw is None or not np.array_equal(raw, upright)


def _png(image: NDArray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
