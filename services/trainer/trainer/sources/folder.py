"""``segstack data import folder``: images and masks in two folders, ``rgb/`` and ``gt/``, paired by name."""

from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from trainer.errors import UserError, require_absent
from trainer.progress import in_threads, progress
from trainer.sources.archive import Archive, open_archive
from trainer.sources.images import EncodedImage, find_images
from trainer.sources.masks.decode import MASK_SUFFIXES
from trainer.sources.masks.reader import (
    LabelMapping,
    decode_ids,
    mask_reader,
    read_mask,
    require_two_classes,
)
from trainer.sources.writing import (
    DEFAULT_SPLIT,
    SPLIT_ALIASES,
    ImportReport,
    LabelledImage,
    SplitConfig,
    raise_faults,
    write_dataset,
)

MASK_NAME_ENDINGS = ("_mask", "_output", "_label")


def import_folder(
    source: Path,
    output: Path,
    mapping: LabelMapping,
    *,
    rgb: str = "rgb",
    gt: str = "gt",
    folders_as_splits: bool = False,
    split_config: SplitConfig = DEFAULT_SPLIT,
) -> ImportReport:
    """Read the folders ``rgb`` and ``gt`` below ``source``, a folder or a zip, into the new data set ``output``.

    The mask of ``rgb/a.jpg`` is ``gt/a.png``, or has a usual ending such as ``gt/a_mask.png``. An image without a mask
    and a mask without an image are skipped and reported. With ``folders_as_splits`` the images are in ``rgb/train``,
    ``rgb/val`` and ``rgb/test``, and those are the splits.

    Raises:
        UserError: a label cannot be trusted. Nothing is written then.
    """
    require_absent(output)
    rgb, gt = f"{rgb.strip('/')}/", f"{gt.strip('/')}/"
    archive = open_archive(source, (gt,), f"images in {rgb} and masks in {gt} (other names: --rgb, --gt)")
    images = find_images(archive, rgb)
    if not images:
        raise UserError(f"{source}: contains no image in {rgb}; if the folder has another name, give --rgb NAME")
    masks = masks_of(archive, gt)
    pairs = pair_by_name(images, masks)
    if not pairs:
        raise UserError(
            f"{source}: no mask has the name of an image. An image is named {next(iter(images))!r}, a mask "
            f"{next(iter(masks))!r}: the names must be equal; the mask's may also end in {', '.join(MASK_NAME_ENDINGS)}"
        )
    splits = _splits(images, list(pairs), split_config) if folders_as_splits else {}
    reader = mask_reader(mapping, lambda: _values([masks[mask_id] for mask_id in pairs.values()]))
    report = ImportReport(
        unlabelled=sorted(images.keys() - pairs.keys()),
        without_image=sorted(masks.keys() - pairs.values()),
        notes=list(reader.notes),
    )
    labelled = (
        LabelledImage(item_id, images[item_id], partial(read_mask, reader, masks[mask_id]), splits.get(item_id))
        for item_id, mask_id in pairs.items()
    )
    return write_dataset(labelled, len(pairs), reader.classes, output, split_config, report, require_two_classes)


def masks_of(archive: Archive, folder: str = "") -> dict[str, EncodedImage]:
    """The masks below ``folder/`` by their path without suffix.

    Raises:
        UserError: there is none, or one in a lossy format.
    """
    masks = find_images(archive, folder)
    lossy = [mask.name for mask in masks.values() if mask.suffix not in MASK_SUFFIXES]
    if lossy:
        raise UserError(
            f"{lossy[0]}: is a mask in a lossy format ({len(lossy)} of {len(masks)} are), which changes its "
            "values: export the masks again as PNG"
        )
    if not masks:
        where = f" in {folder}" if folder else ""
        raise UserError(f"{archive.path}: contains no mask{where}; expected {', '.join(sorted(MASK_SUFFIXES))} files")
    return masks


def pair_by_name(images: dict[str, EncodedImage], masks: dict[str, EncodedImage]) -> dict[str, str]:
    """The mask's name by image id, for each image that has a mask; an equal name is preferred to one with an ending.

    Raises:
        UserError: an image has several masks.
    """
    pairs = {}
    for item_id in sorted(images):
        candidates = [item_id] if item_id in masks else [item_id + e for e in MASK_NAME_ENDINGS if item_id + e in masks]
        if len(candidates) > 1:
            raise UserError(f"{images[item_id].name}: has {len(candidates)} masks ({', '.join(candidates)}): keep one")
        if candidates:
            pairs[item_id] = candidates[0]
    return pairs


def _splits(images: dict[str, EncodedImage], ids: list[str], split_config: SplitConfig) -> dict[str, str]:
    """The split of each image, by its folder."""
    by_folder = {item_id: SPLIT_ALIASES.get(item_id.split("/")[0].casefold()) for item_id in ids}
    for item_id, split in by_folder.items():
        if split is None:
            raise UserError(
                f"{images[item_id].name}: is in none of the folders {', '.join(SPLIT_ALIASES)}: move it into one, or "
                "omit --folders-as-splits"
            )
    found = set(by_folder.values())
    return {item_id: split_config.keep(item_id, split, found) for item_id, split in by_folder.items() if split}


def _values(masks: list[EncodedImage]) -> set[int]:
    """Every value of every mask."""

    def values_of(mask: EncodedImage) -> list[int] | UserError:
        try:
            return np.unique(decode_ids(mask.read(), mask.name)).tolist()
        except UserError as error:
            return error

    found, faults = set[int](), list[str]()
    with (
        progress(None, "finding classes", "mask", total=len(masks)) as bar,
        closing(in_threads(values_of, masks)) as results,
    ):
        for values in results:
            bar.update()
            if isinstance(values, UserError):
                faults.append(str(values))
            else:
                found.update(values)
    raise_faults(faults, len(masks))
    return found
