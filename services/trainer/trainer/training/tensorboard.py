"""TensorBoard's files cut back to the step that a training is resumed from, and the images shown in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event

from contract import ClassInfo
from contract.durable import replacing
from trainer.datasets.drawing import GAP, in_row, overlay

_PANEL_WIDTH = 384
_ALPHA = 0.6
_BUFFER_BYTES = 1 << 20


def forget_after(folder: Path, step: int) -> None:
    """Drop events after ``step`` from every file in ``folder``, and what a killed process left half-written.

    TensorBoard would draw a resumed training's events as a second curve over the first, unless the first ends there.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        with replacing(path) as staged, tf.io.TFRecordWriter(str(staged)) as writer:
            for record in _whole_records(path):
                if Event.FromString(record).step <= step:
                    writer.write(record)


def _whole_records(path: Path) -> Iterator[bytes]:
    records = iter(tf.data.TFRecordDataset(str(path), buffer_size=_BUFFER_BYTES).as_numpy_iterator())
    while True:
        try:
            yield next(records)
        except (StopIteration, tf.errors.DataLossError):
            return


def side_by_side(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], masks: NDArray[np.uint8], classes: Sequence[ClassInfo]
) -> Iterator[NDArray[np.uint8]]:
    """Each image [H, W, 3], its label and its prediction as overlays; large images are shrunk."""
    height, width = images.shape[1:3]
    size = min(width, _PANEL_WIDTH), max(1, round(height * min(1.0, _PANEL_WIDTH / width)))
    for image, *class_ids in zip(images, labels, masks, strict=True):
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        shrunk = (cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT) for mask in class_ids)
        laid_over = (overlay(small, np.asarray(mask, np.uint8), classes, _ALPHA) for mask in shrunk)
        yield in_row([small, *laid_over], GAP)
