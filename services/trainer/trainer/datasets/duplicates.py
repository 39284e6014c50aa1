"""Images that stand in a data set twice, by their pixels or by their looks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import SPLITS, Dataset, Item
from trainer.datasets.inspection import Fault, Inspection

# Of 64. Recompressing, resizing or brightening an image changes at most about this many bits of its fingerprint.
_SIMILAR_BITS = 2
# A fingerprint with nearly all bits equal is that of any flat surface or plain gradient.
_MIN_TELLING_BITS = 6
_COMPARISONS_AT_ONCE = 1 << 22


def identical_images(
    dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]
) -> tuple[list[Fault], list[Fault]]:
    """Identical images: errors across splits, as quality is then measured on what was learned; else warnings.

    Where the source itself has put the images into its splits, measures are compared with others' on the same splits:
    a warning must do.
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
            else "keep one of them, unless it should count for more",
        )
        (errors if across and ours else warnings).append(fault)
    return errors, warnings


def near_duplicates(dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]) -> Iterator[Fault]:
    """Near-duplicates across splits, one warning for each two splits."""
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
            first, like = pairs[0]
            yield Fault(
                items[first].image,
                f"({other}) looks like {items[like].image} ({one}), one of {len(pairs)} such images in {other}",
                "if they are frames of one video, import with a --group-pattern that keeps them in one split",
            )


def _identical(digests: Sequence[str]) -> list[list[int]]:
    """Groups of two or more positions with equal digests, in order of their first."""
    positions = defaultdict(list)
    for position, digest in enumerate(digests):
        positions[digest].append(position)
    return [group for group in positions.values() if len(group) > 1]


def _similar(fingerprints: Sequence[int], others: Sequence[int]) -> list[tuple[int, int]]:
    """For each of ``fingerprints`` that is like one of ``others``: its position, and that of the most alike.

    Both are 64-bit difference hashes; all are compared with all, about 10^9 comparisons a second.
    """
    ours, theirs = np.array(fingerprints, np.uint64), np.array(others, np.uint64)
    if not len(theirs):
        return []
    pairs = []
    step = max(1, _COMPARISONS_AT_ONCE // len(theirs))
    for start in range(0, len(ours), step):
        block = ours[start : start + step]
        distance = np.bitwise_count(block[:, None] ^ theirs)
        nearest = distance.argmin(axis=1)
        alike = (distance[np.arange(len(block)), nearest] <= _SIMILAR_BITS) & _telling(block)
        pairs += [(start + int(row), int(nearest[row])) for row in np.flatnonzero(alike)]
    return pairs


def _telling(fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
    ones = np.bitwise_count(fingerprints)
    return (ones >= _MIN_TELLING_BITS) & (ones <= 64 - _MIN_TELLING_BITS)
