"""``segstack data augment``: variants of labelled images on disk, repeatable by seed; an interrupted run can continue.

A variant depends on the seed, its image, the image's id and the variant's number, and if objects are pasted on the
images they come from. Every file is written atomically, and a variant whose files all exist is not written again.
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
from trainer.augmentation.labelled_source import LabelledInput
from trainer.augmentation.operations import Operation, apply, example_generator
from trainer.datasets.drawing import colorize
from trainer.datasets.pair import Pair
from trainer.errors import UserError, require_empty
from trainer.progress import in_threads, progress
from trainer.recipe_values import to_recipe
from trainer.sources.writing import png

# How the variants were made. It is also a class file, which `segstack data import folder --classes` reads.
FACTS_NAME = "augmentation.json"

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Layout:
    """The variants' folders below the output; ``preview`` None for no images of the masks in colours."""

    images: str = "RGB"
    masks: str = "MASK"
    preview: str | None = "VIS_MASK"


@dataclass(frozen=True)
class Variants:
    """What is written for each image: ``copies`` variants by ``operations``, with ``seed``."""

    operations: tuple[Operation, ...]
    copies: int = 1
    seed: int = 0
    image_format: Literal["jpg", "png"] = "jpg"

    def name(self, item_id: str, number: int) -> str:
        """The id of a variant; the pattern ``(.*?)_aug`` finds its image's id."""
        return f"{item_id}_aug{number:03d}"

    def files(self, item_id: str, number: int, layout: Layout) -> list[str]:
        """Image, mask and preview of a variant, relative to the output."""
        name = self.name(item_id, number)
        found = [f"{layout.images}/{name}.{self.image_format}", f"{layout.masks}/{name}.png"]
        return [*found, f"{layout.preview}/{name}.png"] if layout.preview else found


def augment(
    images: Sequence[LabelledInput],
    classes: tuple[ClassInfo, ...],
    output: Path,
    variants: Variants,
    layout: Layout = Layout(),
    workers: int | None = None,
) -> int:
    """Write every variant that does not exist yet; return the number of those that do.

    Args:
        images: the labelled images; objects to paste come from them too.
        classes: their classes.
        output: a new folder, or that of an earlier run with the same ``variants``.
        variants: the number of variants and the operations.
        layout: the folders below ``output``.
        workers: threads; by default one per core.

    Raises:
        UserError: the folder contains something else, an operation lacks what it needs, or an image cannot be read.
            Variants already written are kept.
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
    write = functools.partial(_write_variant, images, classes, output, variants, layout)
    with progress(None, "augmenting", "image", total=len(missing)) as bar:
        for _ in in_threads(write, missing, workers):
            bar.update()
    return len(wanted) - len(missing)


def _claim(output: Path, classes: tuple[ClassInfo, ...], variants: Variants, layout: Layout) -> None:
    """Write how the variants are made into the output; raise UserError if it was made in another way."""
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
                f"{output} was written with other operations, classes, formats or another seed (see {FACTS_NAME}): "
                "use the same ones to continue, or name a new folder with --output"
            )
        return
    require_empty(output)
    output.mkdir(parents=True, exist_ok=True)
    replace_file(path, text)


def _write_variant(
    images: Sequence[LabelledInput],
    classes: tuple[ClassInfo, ...],
    output: Path,
    variants: Variants,
    layout: Layout,
    which: tuple[LabelledInput, int],
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
    """A number for an id, the same on every machine and independent of other images."""
    return int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:7])


def _write(path: Path, image: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = png(image) if path.suffix == ".png" else _jpeg(image)
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(data)


def _jpeg(image: NDArray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
