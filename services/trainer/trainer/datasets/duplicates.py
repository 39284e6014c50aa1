"""Identical images and near-duplicates in a data set."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import SPLITS, Dataset, Item
from trainer.datasets.inspection import Fault, Inspection

# Of 64 bits. Recompressing, resizing or brightening an image changes at most about this many of its fingerprint.
_SIMILAR_BITS = 2
# Flat surfaces and plain gradients all have fingerprints with nearly all bits equal.
_MIN_DISTINCTIVE_BITS = 6
_COMPARISONS_PER_BLOCK = 1 << 22


def identical_images(
    dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]
) -> tuple[list[Fault], list[Fault]]:
    """Identical images: errors if they are in different splits, as metrics are then measured on training images; else
    warnings.

    Images whose splits are all fixed by the source give only a warning: published metrics use the same splits.
    """
    errors: list[Fault] = []
    warnings: list[Fault] = []
    for group in _identical([inspection.digest for inspection in found]):
        copies = [items[position] for position in group]
        names = ", ".join(f"{item.image} ({dataset.split_of(item)})" for item in copies[1:4])
        across = len({dataset.split_of(item) for item in copies}) > 1
        ours = any(item.split is None for item in copies)
        fault = Fault(
            copies[0].image,
            f"({dataset.split_of(copies[0])}) has the same pixels as {names}{', …' if len(copies) > 4 else ''}",
            "keep one of them, or import with a --group-pattern that keeps them in one split"
            if across
            else "keep one of them, unless it should have a larger weight",
        )
        (errors if across and ours else warnings).append(fault)
    return errors, warnings


def near_duplicates(dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]) -> Iterator[Fault]:
    """Near-duplicates in different splits: one warning for each two splits."""
    members: dict[str, list[int]] = {name: [] for name in SPLITS}
    for position, item in enumerate(items):
        members[dataset.split_of(item)].append(position)
    for one, other in combinations(SPLITS, 2):
        ours, theirs = members[other], members[one]
        pairs = [
            (ours[a], theirs[b])
            for a, b in _similar([found[p].fingerprint for p in ours], [found[p].fingerprint for p in theirs])
            if found[ours[a]].digest != found[theirs[b]].digest
        ]
        if pairs:
            first, similar = pairs[0]
            yield Fault(
                items[first].image,
                f"({other}) looks like {items[similar].image} ({one}), one of {len(pairs)} such images in {other}",
                "if they are frames of one video, import with a --group-pattern that keeps them in one split",
            )


def _identical(digests: Sequence[str]) -> list[list[int]]:
    """Groups of two or more positions with equal digests, in order of their first."""
    positions = defaultdict(list)
    for position, digest in enumerate(digests):
        positions[digest].append(position)
    return [group for group in positions.values() if len(group) > 1]


def _similar(fingerprints: Sequence[int], others: Sequence[int]) -> list[tuple[int, int]]:
    """For each of ``fingerprints`` that is similar to one of ``others``: its position, and that of the nearest.

    Both are 64-bit difference hashes; all pairs are compared, about 10^9 per second.
    """
    ours, theirs = np.array(fingerprints, np.uint64), np.array(others, np.uint64)
    if not len(theirs):
        return []
    pairs = []
    step = max(1, _COMPARISONS_PER_BLOCK // len(theirs))
    for start in range(0, len(ours), step):
        block = ours[start : start + step]
        distance = np.bitwise_count(block[:, None] ^ theirs)
        nearest = distance.argmin(axis=1)
        similar = (distance[np.arange(len(block)), nearest] <= _SIMILAR_BITS) & _is_distinctive(block)
        pairs += [(start + int(row), int(nearest[row])) for row in np.flatnonzero(similar)]
    return pairs


def _is_distinctive(fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
    ones = np.bitwise_count(fingerprints)
    return (ones >= _MIN_DISTINCTIVE_BITS) & (ones <= 64 - _MIN_DISTINCTIVE_BITS)
