"""Quality of a network over a split of a data set."""

import heapq
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import Metrics, ModelCard
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.pair import Pair, read_pair
from trainer.errors import UserError
from trainer.inference.batches import batches
from trainer.inference.segment import segment
from trainer.inference.segmenter import Masks, Segmenter
from trainer.inference.test_time_augmentation import PLAIN, Views
from trainer.metrics.boundary_f1 import Boundary
from trainer.metrics.confusion import ConfusionMatrix, mean_of_present
from trainer.progress import in_threads, progress


@dataclass(frozen=True)
class ImageScore:
    """One image: the mean over its own classes, None when none of its pixels counts."""

    item: Item
    miou: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        card: of the network.
        split: the images'.
        confusion: over all pixels that count.
        boundary_f1: of each class [C], the mean over the images where it has an outline; None if not asked for.
        images: every one, in the data set's order.
        worst: those with the lowest scores and their masks, the worst first.
    """

    card: ModelCard
    split: str
    confusion: ConfusionMatrix
    boundary_f1: NDArray[np.float64] | None
    images: Sequence[ImageScore]
    worst: Sequence[tuple[ImageScore, Masks]]

    @property
    def metrics(self) -> Metrics:
        """What a model card says."""
        iou = self.confusion.iou()
        per_class = {c.name: None if np.isnan(iou[c.id]) else round(float(iou[c.id]), 4) for c in self.card.classes}
        return Metrics(round(self.confusion.miou(), 4), per_class, self.split, len(self.images))

    @property
    def mean_boundary_f1(self) -> float | None:
        """The mean over the classes that have an outline somewhere."""
        return None if self.boundary_f1 is None else mean_of_present(self.boundary_f1)


def evaluate(
    segmenter: Segmenter,
    dataset: Dataset,
    split: str,
    views: Views = PLAIN,
    *,
    batch_size: int = 8,
    boundary: Boundary | None = None,
    keep_worst: int = 0,
) -> Evaluation:
    """Measure a network as a client would use it: resize the image in, resize the mask back, compare with the label.

    Every image counts once, at its label's own size; ignored pixels never count. Memory does not grow with the images.

    Args:
        segmenter: the network.
        dataset: where the images lie.
        split: which of them.
        views: how each is looked at.
        batch_size: how many the network is given at a time.
        boundary: also judge outlines, with this tolerance.
        keep_worst: of how many images to keep the mask.

    Raises:
        UserError: network and data set have other classes, the split is empty, or a file cannot be used.
    """
    require_same_classes(segmenter, dataset)
    items = dataset.split(split)
    classes = len(dataset.classes)
    confusion = ConfusionMatrix(classes)
    f1_sums, f1_counts = np.zeros(classes), np.zeros(classes, np.int64)
    images: list[ImageScore] = []
    worst: list[tuple[float, int, Masks]] = []

    def score(found: tuple[Item, Pair, Masks]) -> tuple[ImageScore, Masks, ConfusionMatrix, NDArray | None]:
        item, pair, mask = found
        own = ConfusionMatrix(classes)
        try:
            own.add(pair.mask, mask)
        except ValueError as error:
            raise UserError(f"{dataset.root / item.mask} or what {segmenter.name} answers: {error}") from None
        f1 = None if boundary is None else boundary.f1(pair.mask, mask, classes)
        return ImageScore(item, own.miou() if own.counts.any() else None), mask, own, f1

    with (
        progress(None, f"evaluating on {split}", "image", total=len(items)) as bar,
        closing(_masks(segmenter, dataset, items, views, batch_size)) as masks,
        closing(in_threads(score, masks)) as scores,
    ):
        for image, mask, own, f1 in scores:
            bar.update()
            confusion.counts += own.counts
            if f1 is not None:
                f1_sums += np.nan_to_num(f1)
                f1_counts += ~np.isnan(f1)
            if image.miou is not None and keep_worst:
                # Of equal ones the earlier is kept: the tuple's second place decides, and masks are never compared.
                heapq.heappush(worst, (-image.miou, -len(images), mask))
                if len(worst) > keep_worst:
                    heapq.heappop(worst)
            images.append(image)

    mean_f1 = np.divide(f1_sums, f1_counts, out=np.full(classes, np.nan), where=f1_counts > 0)
    ranked = [(images[-number], mask) for _, number, mask in sorted(worst, key=lambda one: one[:2], reverse=True)]
    return Evaluation(segmenter.card, split, confusion, mean_f1 if boundary else None, images, ranked)


def require_same_classes(segmenter: Segmenter, dataset: Dataset) -> None:
    """Raise UserError unless the network's classes are the data set's, in its order."""
    names, expected = [c.name for c in segmenter.card.classes], [c.name for c in dataset.classes]
    if names != expected:
        raise UserError(f"the model knows the classes {names}, but {dataset.root} has {expected}: they must be equal")


def _masks(
    segmenter: Segmenter, dataset: Dataset, items: Sequence[Item], views: Views, batch_size: int
) -> Generator[tuple[Item, Pair, Masks]]:
    """Every item with what the network says of it: files are read in threads, while it works."""
    with closing(in_threads(lambda item: (item, read_pair(dataset, item)), items)) as pairs:
        for batch in batches(pairs, batch_size):
            masks = segment(segmenter, [pair.image for _, pair in batch], views, batch_size)
            yield from ((item, pair, mask) for (item, pair), mask in zip(batch, masks, strict=True))
