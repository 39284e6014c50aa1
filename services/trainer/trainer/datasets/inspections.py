"""Every pair of a data set inspected: in parallel, and only those whose files have changed since the last time."""

import dataclasses
import json
from contextlib import closing, suppress
from pathlib import Path

from contract.durable import replace_file
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.inspection import Inspection, inspect
from trainer.progress import progress
from trainer.sources.writing import in_threads

CACHE_NAME = ".inspections.json"
_CACHE_VERSION = 1  # another one for every change of what an inspection finds

# What tells that the files of a pair are those of last time: their names, sizes, and times of change.
Stamp = list[str | int]


def inspect_all(dataset: Dataset, afresh: bool = False) -> list[Inspection]:
    """Inspect every item of ``dataset``, in its order.

    What was found is kept beside the data set, as every training asks: a pair of 1024x2048 took 79 ms of CPU as PNG and
    44 ms as JPEG, one that has not changed 0.1 ms. A folder that cannot be written is inspected anew each time.

    Args:
        dataset: whose files to read.
        afresh: read also what has not changed.
    """
    known = {} if afresh else _load(dataset.root)
    stamps = [_stamp(dataset.root, item) for item in dataset.items]
    found: dict[int, Inspection] = {}
    for position, (item, stamp) in enumerate(zip(dataset.items, stamps, strict=True)):
        if stamp is not None and item.id in known and known[item.id][0] == stamp:
            found[position] = known[item.id][1]
    changed = [position for position in range(len(stamps)) if position not in found]
    if changed:
        items = [dataset.items[position] for position in changed]
        results = in_threads(lambda item: inspect(dataset.root, item), items)
        with closing(results), progress(results, "validating", "image", total=len(items)) as bar:
            found.update(zip(changed, bar, strict=True))
        _save(dataset, stamps, found)
    return [found[position] for position in range(len(stamps))]


def _stamp(root: Path, item: Item) -> Stamp | None:
    stamp: Stamp = []
    for name in (item.image, item.mask):
        try:
            status = (root / name).stat()
        except OSError:
            return None
        stamp += [name, status.st_size, status.st_mtime_ns]
    return stamp


def _load(root: Path) -> dict[str, tuple[Stamp, Inspection]]:
    """What was kept, by item id; nothing if it is not there or not ours."""
    try:
        content = json.loads((root / CACHE_NAME).read_text(encoding="utf-8"))
        if content["version"] != _CACHE_VERSION:
            return {}
        return {item_id: (stamp, _from_json(facts)) for item_id, (stamp, facts) in content["pairs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _save(dataset: Dataset, stamps: list[Stamp | None], found: dict[int, Inspection]) -> None:
    """Keep what was found of every pair without fault; a faulty one is read again, as it may be mended unseen."""
    pairs = {
        item.id: (stamp, dataclasses.asdict(found[position]))
        for position, (item, stamp) in enumerate(zip(dataset.items, stamps, strict=True))
        if stamp is not None and not found[position].faults
    }
    with suppress(OSError):
        replace_file(dataset.root / CACHE_NAME, json.dumps({"version": _CACHE_VERSION, "pairs": pairs}))


def _from_json(facts: dict) -> Inspection:
    pixels = {int(value): count for value, count in facts.pop("pixels").items()}
    return Inspection(**{**facts, "pixels": pixels, "faults": ()})
