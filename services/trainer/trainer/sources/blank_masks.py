"""``segstack data blank-masks``: empty masks for images without any object."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.durable import replacing
from trainer.errors import UserError
from trainer.progress import progress
from trainer.sources.archive import open_archive
from trainer.sources.folder import MASK_NAME_ENDINGS
from trainer.sources.images import IMAGE_SUFFIXES, decode_upright, find_images
from trainer.sources.masks.decode import MASK_SUFFIXES
from trainer.sources.writing import png


@dataclass(frozen=True)
class BlankMasks:
    """The number of masks written, and of images that already had one."""

    written: int
    kept: int


def make_blank_masks(images: Path, output: Path) -> BlankMasks:
    """Write ``output/<name>.png``, all 0, for every image below ``images`` that has no mask in ``output``.

    A mask has its image's size after EXIF rotation. Masks written before an unreadable image are kept.

    Raises:
        UserError: no such folder, no image in it, or one that cannot be read.
    """
    if not images.is_dir():
        raise UserError(f"{images}: no such folder; expected a folder of images")
    images_found = find_images(open_archive(images))
    if not images_found:
        raise UserError(f"{images}: contains no image; expected {', '.join(sorted(IMAGE_SUFFIXES))} files")
    written = 0
    with progress(images_found.items(), "blank masks", "image") as bar:
        for name, image in bar:
            endings = [ending + suffix for ending in ("", *MASK_NAME_ENDINGS) for suffix in MASK_SUFFIXES]
            if any((output / (name + ending)).exists() for ending in endings):
                continue
            height, width = decode_upright(image.read(), image.name).shape[:2]
            mask = output / f"{name}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            with replacing(mask, durable=False) as temporary:
                temporary.write_bytes(png(np.zeros((height, width), np.uint8)))
            written += 1
    return BlankMasks(written, len(images_found) - written)
