"""Images of a split, compared with their labels, for the report."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.pair import read_pair
from trainer.evaluation.comparison_images import Panels, compare
from trainer.evaluation.evaluate import Evaluation
from trainer.inference.segment import segment
from trainer.inference.segmenter import Segmenter
from trainer.inference.test_time_augmentation import Views
from trainer.metrics.confusion import ConfusionMatrix
from trainer.progress import progress


@dataclass(frozen=True)
class Compared:
    """One image: the mean IoU of its own classes (None when none of its pixels counts), and its pictures."""

    id: str
    miou: float | None
    panels: Panels


def worst_of(evaluation: Evaluation, dataset: Dataset) -> list[Compared]:
    """The worst images that the evaluation kept, the worst first."""
    found = []
    for image, mask in evaluation.worst:
        pair = read_pair(dataset, image.item)
        found.append(Compared(image.item.id, image.miou, compare(pair.image, pair.mask, mask, dataset.classes)))
    return found


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """So many of ``items``, evenly from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def segmented(
    segmenter: Segmenter, dataset: Dataset, items: Sequence[Item], views: Views, batch_size: int
) -> Generator[Compared]:
    """Any images, in their order, one by one."""
    if not items:
        return
    with progress(items, "drawing", "image") as bar:
        for item in bar:
            pair = read_pair(dataset, item)
            (mask,) = segment(segmenter, [pair.image], views, batch_size)
            confusion = ConfusionMatrix(len(dataset.classes))
            confusion.add(pair.mask, mask)
            miou = confusion.miou() if confusion.counts.any() else None
            yield Compared(item.id, miou, compare(pair.image, pair.mask, mask, dataset.classes))
