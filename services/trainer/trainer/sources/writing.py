"""What every importer ends in: labelled images are read, checked and written beside the target, which appears only
when all of it is right.
"""

import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.datasets.dataset import Dataset, Item, split_of, train_or_validation
from trainer.errors import UserError
from trainer.progress import progress
from trainer.sources.images import KEPT_AS_THEY_ARE, Picture, decode_upright, is_turned
from trainer.sources.import_report import ImportReport

# What sources call their splits.
SPLIT_CALLED = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}

Source = TypeVar("Source")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LabelledImage:
    """One image and its label, neither read yet.

    ``read_mask(height, width)`` gives class ids [height, width], uint8, 255 = ignore, or raises UserError.
    ``split`` is the one that the source fixed, if any.
    """

    id: str
    picture: Picture
    read_mask: Callable[[int, int], NDArray[np.uint8]]
    split: str | None = None


@dataclass(frozen=True)
class Division:
    """How a new data set will divide: the splits' seed, and the pattern that finds the group in an id.

    The group is what the pattern's first parentheses match, or all of its match: ``(.*)_`` makes one group of
    ``video1_000001`` and ``video1_000002``. An id without a match is a group of its own.
    """

    seed: int = 0
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise UserError(f"--group-pattern {self.group_pattern!r} is no regular expression: {error}") from None

    def group(self, item_id: str) -> str | None:
        """The group of an image; None when it has none."""
        match = re.search(self.group_pattern, item_id) if self.group_pattern is not None else None
        return None if match is None else match[1 if match.re.groups else 0]

    def keep(self, item_id: str, split: str, splits: Collection[str | None]) -> str:
        """The split of an image that its source has put into ``split``.

        A source that has test images but no validation images, among its ``splits``, gives some training images.
        """
        if split == "train" and "test" in splits and "validation" not in splits:
            return train_or_validation(self.group(item_id) or item_id, self.seed)
        return split


DIVISION_BY_ID = Division()


def refuse_taken(output: Path, option: str = "--output") -> None:
    """Raise UserError when the folder that ``option`` names exists."""
    if output.exists():
        raise UserError(f"{output} exists already: name a new folder with {option}, or remove it first")


def write_dataset(
    images: Iterable[LabelledImage],
    total: int,
    classes: tuple[ClassInfo, ...],
    output: Path,
    division: Division,
    report: ImportReport,
    accept: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Read and check every labelled image and write the data set ``output``.

    Args:
        images: may be produced as they are taken: only a few are held at a time.
        total: how many they are, for the progress bar.
        classes: of the new data set.
        output: the new folder.
        division: its groups and its splits' seed.
        report: is filled in and returned.
        accept: sees the filled report before the data set appears, and may refuse it by raising UserError.

    Raises:
        UserError: labels that cannot be used: how many, and the first of them. Nothing is written then.
    """
    report.pixels.update({c.name: 0 for c in classes})
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".tmp-{output.name}-{os.getpid()}")
    items, faults = [], []

    def write(image: LabelledImage) -> tuple[Item, NDArray[np.int64]] | UserError:
        try:
            return _write_one(image, beside, division)
        except UserError as error:
            return error

    try:
        with progress(None, "importing", "image", total=total) as bar, closing(in_threads(write, images)) as results:
            for result in results:
                bar.update()
                if isinstance(result, UserError):
                    faults.append(str(result))
                    continue
                item, counts = result
                items.append(item)
                report.add(counts, classes, item.split or split_of(item.group or item.id, division.seed))
        _refuse_twins(items)
        refuse_faults(faults, len(items) + len(faults))
        _refuse_useless_groups(items, division)
        report.groups = len({item.group for item in items if item.group is not None})
        accept(report)
        Dataset(beside, classes, tuple(items), division.seed).save()
        beside.rename(output)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def _write_one(image: LabelledImage, root: Path, division: Division) -> tuple[Item, NDArray[np.int64]]:
    """Write an image, upright, and its mask; return its item and its pixels by class id [256]."""
    data = image.picture.read()
    upright = decode_upright(data, image.picture.name)
    ids = image.read_mask(*upright.shape[:2])
    if ids.shape != upright.shape[:2]:
        raise AssertionError(f"{image.id}: the importer made {ids.shape} of {upright.shape}")

    suffix = image.picture.suffix
    as_it_is = suffix in KEPT_AS_THEY_ARE and not is_turned(data, upright)
    item = Item(
        image.id,
        f"images/{image.id}{suffix if as_it_is else '.png'}",
        f"masks/{image.id}.png",
        division.group(image.id),
        image.split,
    )
    _write(root / item.image, data if as_it_is else png(upright))
    _write(root / item.mask, png(ids))
    return item, np.bincount(ids.ravel(), minlength=256)


def png(image: NDArray[np.uint8]) -> bytes:
    """The PNG of a BGR image [H, W, 3] or of a mask [H, W]."""
    # Regions of one value need no filter: without one they take half the time to decode, and less space.
    options = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE] if image.ndim == 2 else []
    return cv2.imencode(".png", image, options)[1].tobytes()


def in_threads(
    function: Callable[[Source], Result], sources: Iterable[Source], workers: int | None = None
) -> Generator[Result]:
    """``map(function, sources)``, in order, with a few at work and no more than those held; closing it stops it.

    There are as many ``workers`` as cores unless said otherwise.
    """
    workers = workers or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    remaining = iter(sources)
    executor = ThreadPoolExecutor(workers)
    try:
        waiting.extend(executor.submit(function, source) for source in islice(remaining, 4 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(executor.submit(function, source) for source in islice(remaining, 1))
    finally:
        executor.shutdown(cancel_futures=True)


def refuse_faults(faults: list[str], labels: int) -> None:
    """Raise UserError when there are faults: of how many labels, and the first few."""
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        shown = "".join(f"\n  {fault}" for fault in faults[:3])
        raise UserError(f"{len(faults)} of {labels} labels cannot be used; nothing was imported. The first:{shown}")


def _refuse_twins(items: list[Item]) -> None:
    """One of them has overwritten the other by now, which is why nothing may be kept."""
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UserError(f"two images are called {item.id!r}: give each a name of its own")
        seen.add(item.id)


def _refuse_useless_groups(items: list[Item], division: Division) -> None:
    if division.group_pattern is not None and not any(item.group for item in items):
        raise UserError(
            f"--group-pattern {division.group_pattern!r} matches no image: their ids are like {items[0].id!r}"
        )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
