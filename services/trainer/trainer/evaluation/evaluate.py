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
from trainer.inference.segment import batches, segment
from trainer.inference.segmenter import Masks, Segmenter
from trainer.inference.tta import PLAIN, TestTimeAugmentation
from trainer.metrics import create_metrics
from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.metric import ImageMetric, Measured, Metric
from trainer.metrics.overlap import iou, mean_iou
from trainer.progress import in_threads, progress


@dataclass(frozen=True)
class ImageScore:
    """One image: the mean IoU of its own classes, None when none of its pixels counts."""

    item: Item
    miou: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        card: the network's.
        split: the split evaluated.
        metrics: the metrics measured; ``metric.per_class(measured)`` and ``metric.overall(measured)`` give them.
        measured: what metrics are computed from, over all valid pixels of all images.
        images: every one, in the data set's order.
        worst: those with the lowest scores and their masks, the worst first.
    """

    card: ModelCard
    split: str
    metrics: Sequence[Metric]
    measured: Measured
    images: Sequence[ImageScore]
    worst: Sequence[tuple[ImageScore, Masks]]

    @property
    def confusion(self) -> ConfusionMatrix:
        """Over all pixels that count."""
        return self.measured.confusion

    @property
    def card_metrics(self) -> Metrics:
        """What a model card stores: the contract has fields for IoU only."""
        values = iou(self.confusion)
        per_class = {
            c.name: None if np.isnan(values[c.id]) else round(float(values[c.id]), 4) for c in self.card.classes
        }
        return Metrics(round(mean_iou(self.confusion), 4), per_class, self.split, len(self.images))


def evaluate(
    segmenter: Segmenter,
    dataset: Dataset,
    split: str,
    tta: TestTimeAugmentation = PLAIN,
    *,
    batch_size: int = 8,
    metrics: Sequence[Metric] | None = None,
    keep_worst: int = 0,
) -> Evaluation:
    """Measure a network as a client would use it: resize the image in, resize the mask back, compare with the label.

    Every image counts once, at its label's own size; ignored pixels never count. Memory does not grow with the images.

    Args:
        segmenter: the network.
        dataset: the data set.
        split: the split to evaluate.
        tta: test-time augmentation of each image.
        batch_size: how many images the network gets at a time.
        metrics: what to measure; by default everything except boundary F1, which is slow.
        keep_worst: the number of images whose masks are kept.

    Raises:
        UserError: network and data set have different classes, the split is empty, or a file cannot be used.
    """
    require_same_classes(segmenter, dataset)
    items = dataset.split(split)
    classes = len(dataset.classes)
    metrics = create_metrics() if metrics is None else metrics
    by_image = [metric for metric in metrics if isinstance(metric, ImageMetric) and metric.is_measured]
    confusion = ConfusionMatrix(classes)
    sums = {metric.name: np.zeros(classes) for metric in by_image}
    counts = {metric.name: np.zeros(classes, np.int64) for metric in by_image}
    images: list[ImageScore] = []
    worst: list[tuple[float, int, Masks]] = []

    def score(found: tuple[Item, Pair, Masks]) -> tuple[ImageScore, Masks, ConfusionMatrix, dict[str, NDArray]]:
        item, pair, mask = found
        own = ConfusionMatrix(classes)
        try:
            own.add(pair.mask, mask)
        except ValueError as error:
            raise UserError(f"{dataset.root / item.mask} or the mask from {segmenter.name}: {error}") from None
        values = {metric.name: metric.of_image(pair.mask, mask, classes) for metric in by_image}
        return ImageScore(item, own_miou(own)), mask, own, values

    with (
        progress(None, f"evaluating on {split}", "image", total=len(items)) as bar,
        closing(_masks(segmenter, dataset, items, tta, batch_size)) as masks,
        closing(in_threads(score, masks)) as scores,
    ):
        for image, mask, own, values in scores:
            bar.update()
            confusion.counts += own.counts
            for name, value in values.items():
                sums[name] += np.nan_to_num(value)
                counts[name] += ~np.isnan(value)
            if image.miou is not None and keep_worst:
                # Of equal ones the earlier is kept: the tuple's second place decides, and masks are never compared.
                heapq.heappush(worst, (-image.miou, -len(images), mask))
                if len(worst) > keep_worst:
                    heapq.heappop(worst)
            images.append(image)

    means = {
        name: np.divide(total, counts[name], out=np.full(classes, np.nan), where=counts[name] > 0)
        for name, total in sums.items()
    }
    ranked = [(images[-number], mask) for _, number, mask in sorted(worst, key=lambda one: one[:2], reverse=True)]
    return Evaluation(segmenter.card, split, metrics, Measured(confusion, means), images, ranked)


def own_miou(confusion: ConfusionMatrix) -> float | None:
    """The mean IoU of one image's classes; None when none of its pixels counts."""
    return mean_iou(confusion) if confusion.counts.any() else None


def require_same_classes(segmenter: Segmenter, dataset: Dataset) -> None:
    """Raise UserError unless the network's classes are the data set's, in its order."""
    names, expected = [c.name for c in segmenter.card.classes], [c.name for c in dataset.classes]
    if names != expected:
        raise UserError(f"the model knows the classes {names}, but {dataset.root} has {expected}: they must be equal")


def _masks(
    segmenter: Segmenter, dataset: Dataset, items: Sequence[Item], tta: TestTimeAugmentation, batch_size: int
) -> Generator[tuple[Item, Pair, Masks]]:
    """Every item with its mask: files are read in threads, while the network works."""
    with closing(in_threads(lambda item: (item, read_pair(dataset, item)), items)) as pairs:
        for batch in batches(pairs, batch_size):
            masks = segment(segmenter, [pair.image for _, pair in batch], tta, batch_size)
            yield from ((item, pair, mask) for (item, pair), mask in zip(batch, masks, strict=True))
