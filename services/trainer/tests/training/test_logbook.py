"""The logbook: what is logged, and that a resumed training logs nothing twice."""

import csv
import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from contract import ClassInfo
from trainer.recipe import Data, Recipe
from trainer.runs import RunFolder
from trainer.training.logbook import EpochMetrics, Logbook

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "Apfel, rot", (255, 0, 0)))
METRICS = EpochMetrics(1, 0.5, 0.625, 0.75, (0.9, float("nan")), 12.5, 30.0)
STEPS = 10


@pytest.fixture
def open_logbook(tmp_path):
    recipe = Recipe(network="unet", data=Data(path="set", input_height=32, input_width=32), epochs=3)
    return lambda: Logbook(RunFolder(tmp_path), recipe, CLASSES, STEPS)


def lines(folder):
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def curve(folder, name):
    """(step, value) of a curve in TensorBoard, as TensorBoard itself reads it, in the order of logging.

    It reads files in the order of their names, which end in a second and the number of the process's writer: of two in
    one second, the 10th comes before the 9th.
    """
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    logged = sorted(events.Tensors(name), key=lambda event: event.wall_time)
    return [(e.step, round(float(tf.make_ndarray(e.tensor_proto)), 4)) for e in logged]


def train(logbook, epochs):
    for epoch in epochs:
        for step in (1, STEPS):
            logbook.step((epoch - 1) * STEPS + step, loss=1 / epoch, learning_rate=0.01)
        logbook.epoch(dataclasses.replace(METRICS, epoch=epoch))


def test_csv_has_a_line_an_epoch(open_logbook, tmp_path):
    with open_logbook() as logbook:
        train(logbook, [1, 2])
    first, second = lines(tmp_path)
    assert (first["epoch"], first["step"], second["step"]) == ("1", "10", "20")
    assert (first["loss"], first["validation_loss"], first["validation_miou"]) == ("0.5", "0.625", "0.75")
    assert (first["iou/background"], first["iou/Apfel, rot"]) == ("0.9", "")
    assert (first["seconds"], first["images_per_second"]) == ("12.5", "30")


def test_epoch_without_validation_leaves_cells_empty(open_logbook, tmp_path):
    with open_logbook() as logbook:
        logbook.epoch(EpochMetrics(1, 0.5, None, None, None, 1.0, 1.0))
    (line,) = lines(tmp_path)
    assert line["validation_miou"] == line["iou/background"] == ""


def test_tensorboard_has_the_curves(open_logbook, tmp_path):
    with open_logbook() as logbook:
        train(logbook, [1, 2])
    assert curve(tmp_path, "loss/step") == [(1, 1), (10, 1), (11, 0.5), (20, 0.5)]
    assert curve(tmp_path, "learning_rate")[0] == (1, 0.01)
    assert curve(tmp_path, "validation_miou") == [(10, 0.75), (20, 0.75)]
    assert curve(tmp_path, "iou/background") == [(10, 0.9), (20, 0.9)]


def test_resumed_training_logs_nothing_twice(open_logbook, tmp_path):
    """Killed in its fourth epoch, while writing, and resumed from the end of the second."""
    with open_logbook() as logbook:
        train(logbook, [1, 2, 3])
        logbook.step(31, loss=9, learning_rate=9)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4,4")
    (events,) = (tmp_path / "tensorboard").iterdir()
    events.write_bytes(events.read_bytes()[:-5])
    with open_logbook() as logbook:
        logbook.rewind(2 * STEPS, epochs=2)
        train(logbook, [3])
    assert [line["epoch"] for line in lines(tmp_path)] == ["1", "2", "3"]
    assert [step for step, _ in curve(tmp_path, "validation_miou")] == [10, 20, 30]
    assert [step for step, _ in curve(tmp_path, "loss/step")] == [1, 10, 11, 20, 21, 30]


def test_epoch_logged_but_not_saved_is_logged_once(open_logbook, tmp_path):
    """The training is resumed from the state after the epoch's last step."""
    with open_logbook() as logbook:
        train(logbook, [1, 2])
    with open_logbook() as logbook:
        logbook.rewind(2 * STEPS, epochs=1)
        logbook.epoch(dataclasses.replace(METRICS, epoch=2))
    assert [line["epoch"] for line in lines(tmp_path)] == ["1", "2"]
    assert [step for step, _ in curve(tmp_path, "validation_miou")] == [10, 20]


def test_images_show_image_label_and_prediction(open_logbook, tmp_path):
    images = np.full((1, 600, 800, 3), 100, np.uint8)
    labels, masks = np.ones((1, 600, 800), np.uint8), np.zeros((1, 600, 800), np.uint8)
    with open_logbook() as logbook:
        logbook.images(5, images, labels, masks)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (event,) = events.Tensors("image, label, prediction/0")
    width, height, png = tf.make_ndarray(event.tensor_proto)
    assert (event.step, int(width), int(height)) == (5, 3 * 384 + 2 * 8, 288)
    shown = tf.io.decode_png(png).numpy()
    assert shown[0, 0].tolist() == shown[0, -1].tolist() == [100, 100, 100]
    assert shown[0, 400].tolist() == [193, 40, 40]
