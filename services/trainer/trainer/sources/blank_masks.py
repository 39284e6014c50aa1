"""``data blank-masks``: masks of nothing for images on which nothing is to be found."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.durable import replacing
from trainer.errors import UserError
from trainer.progress import progress
from trainer.sources.archive import open_archive
from trainer.sources.folder import MASK_NAME_ENDINGS
from trainer.sources.images import decode_upright, find_images
from trainer.sources.masks.decode import MASK_SUFFIXES
from trainer.sources.writing import png


@dataclass(frozen=True)
class BlankMasks:
    """How many masks were made, and how many images had one already."""

    made: int
    kept: int


def make_blank_masks(images: Path, output: Path) -> BlankMasks:
    """Write ``output/<name>.png``, all 0, for every image below ``images`` that has no mask there; overwrite none.

    A mask has its image's size after EXIF rotation. What was made before an image that cannot be read stays.

    Raises:
        UserError: no such folder, no image in it, or one that cannot be read.
    """
    if not images.is_dir():
        raise UserError(f"{images}: no such folder; expected a folder of images")
    pictures = find_images(open_archive(images))
    if not pictures:
        raise UserError(f"{images}: holds no image")
    made = 0
    with progress(pictures.items(), "blank masks", "image") as bar:
        for name, picture in bar:
            endings = [ending + suffix for ending in ("", *MASK_NAME_ENDINGS) for suffix in MASK_SUFFIXES]
            if any((output / (name + ending)).exists() for ending in endings):
                continue
            height, width = decode_upright(picture.read(), picture.name).shape[:2]
            mask = output / f"{name}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            with replacing(mask) as temporary:
                temporary.write_bytes(png(np.zeros((height, width), np.uint8)))
            made += 1
    return BlankMasks(made, len(pictures) - made)
