"""Quality of anything that turns images into masks, over a split of a data set."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import SERVING_DEFAULT, CardError, Metrics, ModelCard, versions
from contract.repository import CARD_PATH
from trainer.confusion import ConfusionMatrix
from trainer.data.dataset import Dataset
from trainer.data.pair import read_pair
from trainer.errors import UserError
from trainer.progress import progress

# Below this, a single image moves the mean by points.
_FEW_IMAGES = 30

MaskFunction = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def evaluate(segment: MaskFunction, card: ModelCard, dataset: Dataset, split: str) -> Metrics:
    """Measure ``segment`` as a client would use it: resize the image in, resize the mask back, compare with the label.

    Every image counts once, at its label's own size; ignored pixels never count.

    Args:
        segment: uint8 RGB [1, H, W, 3] at the card's input size to class ids [1, H, W].
        card: what ``segment`` is.
        dataset: where the images lie.
        split: which of them.

    Raises:
        UserError: model and data set have other classes, or the split is empty.
    """
    names, expected = [c.name for c in card.classes], [c.name for c in dataset.classes]
    if names != expected:
        raise UserError(f"the model knows the classes {names}, but {dataset.root} has {expected}: they must be equal")
    items = dataset.split(split)
    confusion = ConfusionMatrix(len(dataset.classes))
    for item in progress(items, f"evaluating on {split}", "image"):
        pair = read_pair(dataset, item)
        resized = cv2.resize(pair.image, (card.input_width, card.input_height), interpolation=cv2.INTER_LINEAR)
        mask = segment(np.asarray(resized, np.uint8)[None])[0]
        # INTER_NEAREST_EXACT has half-pixel centres; INTER_NEAREST has not, and would shift the mask.
        mask = cv2.resize(mask, pair.mask.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        confusion.add(pair.mask, mask)
    iou = confusion.iou()
    per_class = {c.name: None if np.isnan(iou[c.id]) else round(float(iou[c.id]), 4) for c in card.classes}
    return Metrics(round(confusion.miou(), 4), per_class, split, len(items))


def evaluate_published(path: Path, dataset: Dataset, split: str) -> Metrics:
    """Measure a published version (``models_repo/<name>/<version>``, or the newest of ``models_repo/<name>``).

    Raises:
        UserError: there is no published model at ``path``.
    """
    if not (path / "saved_model.pb").is_file():
        published = versions(path.parent, path.name)
        if not published:
            raise UserError(f"{path} holds no published model: expected models_repo/NAME or models_repo/NAME/VERSION")
        path = path / str(published[-1])
    try:
        card = ModelCard.from_json((path / CARD_PATH).read_text(encoding="utf-8"))
    except (FileNotFoundError, CardError) as error:
        raise UserError(f"{path} has no readable model card ({error}): it was not published by Segstack") from None

    import tensorflow as tf

    mask_function = tf.saved_model.load(str(path)).signatures[SERVING_DEFAULT]
    return evaluate(lambda image: mask_function(image=tf.constant(image))["mask"].numpy(), card, dataset, split)


def describe(metrics: Metrics) -> str:
    """The figures as a small table for a terminal."""
    lines = [f"{metrics.split} mIoU {metrics.miou:.4f} over {metrics.images} images"]
    for name, iou in metrics.per_class_iou.items():
        lines.append(f"  {name:<20} {'absent' if iou is None else f'{iou:.4f}'}")
    if metrics.images < _FEW_IMAGES:
        lines.append(f"  {metrics.images} images are too few to rely on these figures: label more")
    never = [name for name, iou in metrics.per_class_iou.items() if iou == 0]
    if never:
        lines.append(f"  never found: {', '.join(never)}")
    return "\n".join(lines)
