"""``segstack data validate``: whether a data set can be trusted; it also runs before every training.

An error would make a training fail or its metrics wrong; a warning is something to look at. Masks contain class ids
here: importers have converted the colours of labelling tools.
"""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from contract import IGNORE_ID
from trainer.datasets.dataset import INDEX_NAME, Dataset, Item, is_system_file
from trainer.datasets.duplicates import identical_images, near_duplicates
from trainer.datasets.inspection import Fault, Inspection, inspect_all
from trainer.datasets.validation_report import SplitLabels, ValidationReport
from trainer.errors import UserError, counted

# The number of faults shown when a training refuses the data set.
_SHOWN = 3
_BLUR_VALUES = 8


def require_valid(dataset: Dataset) -> ValidationReport:
    """Validate ``dataset`` using cached inspections; print the number of warnings on standard error.

    Raises:
        UserError: it has errors.
    """
    report = validate(dataset)
    command = f"segstack data validate {shlex.quote(str(dataset.root))}"
    if report.errors:
        shown = "".join(f"\n  {fault}" for fault in report.errors[:_SHOWN])
        raise UserError(
            f"{dataset.root}: {counted(len(report.errors), 'error')} in this data set; `{command}` "
            f"shows all. The first:{shown}"
        )
    if report.warnings:
        warnings, them = counted(len(report.warnings), "warning"), "it" if len(report.warnings) == 1 else "them"
        print(f"{dataset.root}: {warnings}; `{command}` shows {them}", file=sys.stderr)
    return report


def validate(dataset: Dataset, ignore_cache: bool = False) -> ValidationReport:
    """Check the index, every pair, and the whole set.

    Args:
        dataset: the data set.
        ignore_cache: also read files that have not changed since the last time.
    """
    errors = list(_index_faults(dataset))
    if errors:  # nothing else can be checked with a wrong index
        return ValidationReport(dataset.root, dataset.classes, tuple(errors), (), {})
    inspections = inspect_all(dataset, ignore_cache)
    errors += [fault for inspection in inspections for fault in inspection.faults]
    intact = [(i, f) for i, f in zip(dataset.items, inspections, strict=True) if not f.faults]
    items, found = [item for item, _ in intact], [inspection for _, inspection in intact]
    labels = _labels(dataset, items, found)

    errors += _values_outside(dataset, items, found)
    errors += _empty_splits(dataset)
    if not errors:  # it is often a consequence of them
        errors += _nothing_to_learn(dataset, labels["train"])
    across_splits, harmless = identical_images(dataset, items, found)
    errors += across_splits
    warnings = [*_doubtful_masks(dataset, items, found), *harmless, *near_duplicates(dataset, items, found)]
    warnings += [*_absent(dataset, labels), *_orphans(dataset)]
    return ValidationReport(dataset.root, dataset.classes, tuple(errors), tuple(warnings), labels)


def _index_faults(dataset: Dataset) -> Iterator[Fault]:
    ids = [c.id for c in dataset.classes]
    if ids != list(range(len(ids))):
        yield Fault(INDEX_NAME, f"has the class ids {ids}", f"expected 0 to {len(ids) - 1} in order")
    for what, names in (
        ("the class", [c.name for c in dataset.classes]),
        ("the image id", [item.id for item in dataset.items]),
    ):
        for name, times in Counter(names).items():
            if times > 1:
                yield Fault(INDEX_NAME, f"contains {what} {name!r} {times} times", "give each its own name")
    for name in (name for item in dataset.items for name in (item.image, item.mask)):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            yield Fault(INDEX_NAME, f"names {name!r}, which leaves the data set's folder", "import the data set again")


def _labels(dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]) -> dict[str, SplitLabels]:
    """Pixels of each class in each image, by split."""
    values = range(len(dataset.classes))
    rows: dict[str, list[list[int]]] = {name: [] for name in dataset.splits}
    ignored = dict.fromkeys(dataset.splits, 0)
    for item, inspection in zip(items, found, strict=True):
        split = dataset.split_of(item)
        rows[split].append([inspection.pixels.get(value, 0) for value in values])
        ignored[split] += inspection.pixels.get(IGNORE_ID, 0)
    return {
        name: SplitLabels(np.array(counts, np.int64).reshape(-1, len(values)), ignored[name])
        for name, counts in rows.items()
    }


def _values_outside(dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]) -> Iterator[Fault]:
    known = {c.id for c in dataset.classes} | {IGNORE_ID}
    for item, inspection in zip(items, found, strict=True):
        unknown = {value: count for value, count in inspection.pixels.items() if value not in known}
        if not unknown:
            continue
        commonest = max(unknown, key=lambda value: unknown[value])
        what = (
            f"{sum(unknown.values()):,} pixels have values outside the classes 0 to {len(dataset.classes) - 1}, most "
            f"often {commonest}"
        )
        if len(unknown) >= _BLUR_VALUES:
            remedy = f"{len(unknown)} such values indicate interpolation or JPEG: import the original masks"
        else:
            remedy = f"add the missing class, or set the pixels to ignored ({IGNORE_ID}), and import again"
        yield Fault(item.mask, what, remedy)


def _empty_splits(dataset: Dataset) -> Iterator[Fault]:
    for name in dict.fromkeys(("train", "validation", dataset.splits[-1])):
        if all(dataset.split_of(item) != name for item in dataset.items):
            remedy = "label more images, or import with a different --split-seed"
            yield Fault(INDEX_NAME, f"no image is in the {name} split", remedy)


def _nothing_to_learn(dataset: Dataset, labels: SplitLabels) -> Iterator[Fault]:
    pixels = labels.counts.sum(axis=0)
    if np.count_nonzero(pixels) >= 2:
        return
    what = "no training image has a labelled pixel"
    if pixels.any():
        what = f"every labelled pixel of the training images is {dataset.classes[int(pixels.argmax())].name!r}"
    if labels.ignored:
        what += f", and {labels.ignored:,} pixels are {IGNORE_ID}, which is ignored"
    yield Fault(INDEX_NAME, what, f"label objects; if {IGNORE_ID} is a class here, import it as a class")


def _doubtful_masks(dataset: Dataset, items: Sequence[Item], found: Sequence[Inspection]) -> Iterator[Fault]:
    look = f"segstack data preview {shlex.quote(str(dataset.root))} --output preview.png"
    for item, inspection in zip(items, found, strict=True):
        if inspection.pixels.keys() == {IGNORE_ID}:
            yield Fault(item.mask, "is ignored everywhere, so nothing is learned from it", "label it, or remove it")
        if inspection.blurred:
            yield Fault(
                item.mask,
                "has other classes' ids along its borders, as after interpolation",
                f"look at it with `{look}`; resize labels by nearest neighbour only",
            )


def _absent(dataset: Dataset, labels: dict[str, SplitLabels]) -> Iterator[Fault]:
    filled = [name for name, of in labels.items() if len(of.counts)]
    for c in dataset.classes:
        without = [name for name in filled if not labels[name].counts[:, c.id].any()]
        if len(without) == len(filled):
            yield Fault(INDEX_NAME, f"the class {c.name!r} is in no mask", "label some, or remove the class")
        elif without:
            result = "it cannot be learned" if "train" in without else "its quality cannot be measured there"
            yield Fault(
                INDEX_NAME,
                f"the class {c.name!r} is in no mask of {' and '.join(without)}, so {result}",
                "label more images with it, or import with a different --split-seed",
            )


def _orphans(dataset: Dataset) -> Iterator[Fault]:
    """Files in the folders of images and masks that belong to no item: one warning for each folder."""
    known = {name for item in dataset.items for name in (item.image, item.mask)}
    for folder in sorted({PurePosixPath(name).parts[0] for name in known}):
        files = (p.relative_to(dataset.root).as_posix() for p in Path(dataset.root, folder).rglob("*") if p.is_file())
        orphans = sorted(name for name in files if name not in known and not is_system_file(name))
        if orphans:
            yield Fault(
                folder,
                f"contains {counted(len(orphans), 'file')} that {INDEX_NAME} does not name, for instance {orphans[0]}",
                "remove them, or import the labels again",
            )
