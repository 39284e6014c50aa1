"""``data augment``: variants of labelled images on disk, repeatable by seed, in as many sittings as it takes.

A variant depends on the seed, its image, that one's id and the variant's number, and where objects are pasted on the
images that they come from. It is there when its last file has its name: what a stopped run leaves is whole or does not
count, and the next one goes on from there.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from contract.durable import replace_file, replacing
from trainer.augmentation.labelled_source import Labelled
from trainer.augmentation.operations import Operation, apply, example_generator
from trainer.datasets.drawing import colorize
from trainer.datasets.pair import Pair
from trainer.errors import UserError
from trainer.progress import in_threads, progress
from trainer.recipe_values import to_recipe
from trainer.sources.writing import png

# Beside the variants: what they were made with. It also is a class file, which `data import-folder --classes` reads.
FACTS_NAME = "augmentation.json"

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Layout:
    """Where the variants' files lie below the output; ``preview`` None for no pictures of the masks."""

    images: str = "RGB"
    masks: str = "MASK"
    preview: str | None = "VIS_MASK"


@dataclass(frozen=True)
class Variants:
    """What is made of each image: ``copies`` variants by ``operations``, decided by ``seed``."""

    operations: tuple[Operation, ...]
    copies: int = 1
    seed: int = 0
    image_format: Literal["jpg", "png"] = "jpg"

    def name(self, item_id: str, number: int) -> str:
        """The id of a variant: ``(.*?)_aug`` is the pattern that finds its image's."""
        return f"{item_id}_aug{number:03d}"

    def files(self, item_id: str, number: int, layout: Layout) -> list[str]:
        """Image, mask and preview of a variant, relative to the output."""
        name = self.name(item_id, number)
        found = [f"{layout.images}/{name}.{self.image_format}", f"{layout.masks}/{name}.png"]
        return [*found, f"{layout.preview}/{name}.png"] if layout.preview else found


def augment(
    images: Sequence[Labelled],
    classes: tuple[ClassInfo, ...],
    output: Path,
    variants: Variants,
    layout: Layout = Layout(),
    workers: int | None = None,
) -> int:
    """Write every variant that is not there yet; return how many were.

    Args:
        images: what to start from; objects to paste come from them too.
        classes: for the previews' colours, and written beside.
        output: a new folder, or that of an earlier run with the same ``variants``.
        variants: how many, and what happens to them.
        layout: the folders below.
        workers: threads, by default one a core.

    Raises:
        UserError: the folder holds something else, an operation lacks what it needs, or an image cannot be read.
            Variants already made stay.
    """
    for operation in variants.operations:
        operation.require()
    _claim(output, classes, variants, layout)
    wanted = [(image, number) for image in images for number in range(variants.copies)]
    missing = [
        (image, number)
        for image, number in wanted
        if not all((output / file).exists() for file in variants.files(image.id, number, layout))
    ]
    cv2.setNumThreads(0)  # threads work on different images
    one = functools.partial(_write_variant, images, classes, output, variants, layout)
    with progress(None, "augmenting", "image", total=len(missing)) as bar:
        for _ in in_threads(one, missing, workers):
            bar.update()
    return len(wanted) - len(missing)


def _claim(output: Path, classes: tuple[ClassInfo, ...], variants: Variants, layout: Layout) -> None:
    """Say in the output what it is made with; refuse what was made with something else."""
    facts: dict[str, Any] = {
        "classes": [asdict(c) for c in classes],
        "operations": [to_recipe(operation) for operation in variants.operations],
        "seed": variants.seed,
        "image_format": variants.image_format,
        "folders": asdict(layout),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    path = output / FACTS_NAME
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{output} was made with other operations, classes, formats or another seed ({FACTS_NAME} says which): "
                "repeat those to go on with it, or name a new folder with --output"
            )
        return
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UserError(f"{output} is not empty: name a new folder with --output, or remove it first")
    output.mkdir(parents=True, exist_ok=True)
    replace_file(path, text)


def _write_variant(
    images: Sequence[Labelled],
    classes: tuple[ClassInfo, ...],
    output: Path,
    variants: Variants,
    layout: Layout,
    which: tuple[Labelled, int],
) -> None:
    image, number = which

    def donor(rng: np.random.Generator) -> Pair:
        return images[int(rng.integers(len(images)))].read()

    rng = example_generator(variants.seed, number, _stable_number(image.id))
    pair = apply(variants.operations, image.read(), rng, donors=donor)
    rgb, mask, *preview = variants.files(image.id, number, layout)
    _write(output / rgb, cv2.cvtColor(pair.image, cv2.COLOR_RGB2BGR))
    _write(output / mask, pair.mask)
    for file in preview:
        _write(output / file, cv2.cvtColor(colorize(pair.mask, classes), cv2.COLOR_RGB2BGR))


def _stable_number(item_id: str) -> int:
    """A number of an id that is the same on every machine and does not change when other images are added."""
    return int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:7])


def _write(path: Path, image: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = png(image) if path.suffix == ".png" else _jpeg(image)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _jpeg(image: NDArray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
