"""Images of a split compared with their labels, for the report: image, label, prediction and errors side by side."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.drawing import GAP, Image, colorize, in_row, overlay, stacked, text
from trainer.datasets.pair import read_pair
from trainer.evaluation.evaluate import Evaluation, own_miou
from trainer.inference.segment import segment
from trainer.inference.segmenter import Segmenter
from trainer.inference.tta import TestTimeAugmentation
from trainer.metrics.confusion import ConfusionMatrix, counted
from trainer.progress import progress

_WRONG = (225, 40, 40)
_DIMMED, _LIFTED = 0.35, 150  # a pale grey image, on which red is visible everywhere
_CAPTION_SIZE = 15

Panels = dict[str, Image]


@dataclass(frozen=True)
class Comparison:
    """One image: the mean IoU of its own classes (None when none of its pixels counts), and its panels."""

    id: str
    miou: float | None
    panels: Panels


def worst_of(evaluation: Evaluation, dataset: Dataset) -> list[Comparison]:
    """The worst images that the evaluation kept, the worst first."""
    found = []
    for image, mask in evaluation.worst:
        pair = read_pair(dataset, image.item)
        found.append(Comparison(image.item.id, image.miou, compare(pair.image, pair.mask, mask, dataset.classes)))
    return found


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count`` of ``items``, evenly from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]


def segmented(
    segmenter: Segmenter, dataset: Dataset, items: Sequence[Item], tta: TestTimeAugmentation, batch_size: int
) -> Generator[Comparison]:
    """The comparisons of any images, in their order, lazily."""
    if not items:
        return
    with progress(items, "drawing", "image") as bar:
        for item in bar:
            pair = read_pair(dataset, item)
            (mask,) = segment(segmenter, [pair.image], tta, batch_size)
            confusion = ConfusionMatrix(len(dataset.classes))
            confusion.add(pair.mask, mask)
            yield Comparison(item.id, own_miou(confusion), compare(pair.image, pair.mask, mask, dataset.classes))


def compare(image: Image, label: Image, mask: Image, classes: Sequence[ClassInfo], max_width: int = 640) -> Panels:
    """RGB panels by title, at most ``max_width`` pixels wide; errors are red and ignored pixels striped.

    Args:
        image: RGB uint8 [H, W, 3].
        label, mask: class ids uint8 [H, W].
        classes: whose colours to take.
        max_width: pixels.
    """
    valid = counted(label, IGNORE_ID)
    errors = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * _DIMMED + _LIFTED, 3, axis=-1)
    errors = errors.astype(np.uint8)
    errors[valid & (label != mask)] = _WRONG
    errors[~valid] = colorize(label, classes)[~valid]
    panels = {
        "image": image,
        "label": overlay(image, label, classes, 0.75),
        "prediction": overlay(image, mask, classes, 0.75),
        "errors": errors,
    }
    height, width = image.shape[:2]
    if width <= max_width:
        return panels
    size = max_width, max(1, round(height * max_width / width))
    return {t: np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for t, p in panels.items()}


def side_by_side(panels: Panels) -> Image:
    """All panels in one image, each under its title."""
    return in_row(
        [stacked([text(title, _CAPTION_SIZE, panel.shape[1]), panel], GAP // 2) for title, panel in panels.items()], GAP
    )


def jpeg(image: Image) -> bytes:
    """The JPEG file of an RGB image."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
