"""The log of a training: ``metrics.csv`` for programs, TensorBoard for users."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import ClassInfo
from contract.durable import replace_file
from trainer.recipe import Recipe
from trainer.runs import RunFolder
from trainer.training import tensorboard


@dataclass(frozen=True)
class EpochMetrics:
    """Metrics of one epoch; those of the validation are None where none was due.

    Attributes:
        epoch: counted from 1.
        loss: mean over the epoch's steps.
        validation_loss: over the validation images.
        validation_miou: from 0 to 1.
        per_class_iou: in id order, NaN for a class that was neither labelled nor predicted.
        seconds: since the training began, without the time it was stopped.
        images_per_second: over the epoch's steps.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    validation_miou: float | None
    per_class_iou: Sequence[float] | None
    seconds: float
    images_per_second: float


class Logbook:
    """Appends to the logs of a run folder; a context manager.

    ``metrics.csv`` has a line an epoch: the values of :class:`EpochMetrics` by name, a class's IoU as ``iou/<class>``,
    and ``step``, which counts a training's steps from its beginning. What was not measured is an empty cell.
    """

    def __init__(self, run: RunFolder, recipe: Recipe, classes: Sequence[ClassInfo], steps_per_epoch: int) -> None:
        self._csv, self._events = run.metrics, run.tensorboard
        self._recipe, self._classes, self._steps_per_epoch = recipe, classes, steps_per_epoch
        self._columns = [
            *("epoch", "step", "loss", "validation_loss", "validation_miou", "seconds", "images_per_second"),
            *(f"iou/{c.name}" for c in classes),
        ]
        self._writer: tf.summary.SummaryWriter | None = None

    def __enter__(self) -> Self:
        if not self._csv.exists():
            replace_file(self._csv, _line(self._columns))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def rewind(self, step: int, epochs: int) -> None:
        """Remove what a training resumed from ``step``, after ``epochs`` whole epochs, will log again."""
        header, *lines = list(csv.reader(io.StringIO(self._csv.read_text(encoding="utf-8"))))
        column = header.index("epoch")
        # A line that a full disk or a power cut has left unfinished is short.
        kept = [line for line in lines if len(line) == len(header) and int(line[column]) <= epochs]
        replace_file(self._csv, "".join(map(_line, [header, *kept])))
        self.__exit__(None, None, None)
        # An epoch's metrics are logged at its last step, perhaps before a state was saved in which it is over.
        is_at_epoch_end = step == (epochs + 1) * self._steps_per_epoch
        tensorboard.forget_after(self._events, step - 1 if is_at_epoch_end else step)

    def step(self, step: int, loss: float, learning_rate: float) -> None:
        """Log the ``step``-th step, counted from 1, to TensorBoard."""
        self._scalars(step, {"loss/step": loss, "learning_rate": learning_rate})

    def epoch(self, metrics: EpochMetrics) -> None:
        """Log an epoch, at its end."""
        step = metrics.epoch * self._steps_per_epoch
        row = {
            "epoch": metrics.epoch,
            "step": step,
            "loss": metrics.loss,
            "validation_loss": metrics.validation_loss,
            "validation_miou": metrics.validation_miou,
            "seconds": metrics.seconds,
            "images_per_second": metrics.images_per_second,
            **{f"iou/{c.name}": iou for c, iou in zip(self._classes, metrics.per_class_iou or (), strict=False)},
        }
        with self._csv.open("a", encoding="utf-8") as file:
            file.write(_line([_cell(row.get(column)) for column in self._columns]))
        curves = {
            "loss/epoch": metrics.loss,
            "loss/validation": metrics.validation_loss,
            "validation_miou": metrics.validation_miou,
            "images_per_second": metrics.images_per_second,
        }
        curves |= {name: value for name, value in row.items() if name.startswith("iou/")}
        self._scalars(step, {name: value for name, value in curves.items() if value is not None and value == value})
        assert self._writer
        self._writer.flush()

    def images(self, step: int, images: NDArray[np.uint8], labels: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
        """Log images [N, H, W, 3] to TensorBoard, with labels and predictions [N, H, W] of class ids as overlays."""
        with self._open_writer().as_default():
            for number, panels in enumerate(tensorboard.side_by_side(images, labels, masks, self._classes)):
                tf.summary.image(f"image, label, prediction/{number}", panels[None], step=step)

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        with self._open_writer().as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)

    def _open_writer(self) -> tf.summary.SummaryWriter:
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._events))
        return self._writer


def _cell(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()
