"""One number that tells a data set from another."""

import hashlib
import json
from dataclasses import asdict

from trainer.datasets.dataset import Dataset
from trainer.datasets.inspections import inspect_all


def checksum(dataset: Dataset) -> str:
    """SHA-256 over classes, and each item's id, split, image and mask.

    An image counts by its pixels, as its inspection has them already, and a mask by its file's bytes; neither their
    order nor the folder's name has an influence.
    """
    total = hashlib.sha256(json.dumps([asdict(c) for c in dataset.classes]).encode())
    lines = []
    for item, inspection in zip(dataset.items, inspect_all(dataset), strict=True):
        mask = hashlib.sha256((dataset.root / item.mask).read_bytes()).hexdigest()
        lines.append(json.dumps([item.id, dataset.split_of(item), inspection.digest, mask]))
    total.update("\n".join(sorted(lines)).encode())
    return total.hexdigest()
