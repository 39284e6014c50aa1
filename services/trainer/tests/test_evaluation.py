"""Measuring anything that turns images into masks, at the labels' own size."""

import dataclasses
import shutil

import cv2
import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from trainer.confusion import ConfusionMatrix
from trainer.data.dataset import Dataset
from trainer.errors import UserError
from trainer.evaluation import describe, evaluate, evaluate_published


@pytest.fixture
def card(dataset):
    """Half the size of the drawn set's images."""
    return ModelCard("oracle", "none", 32, 48, dataset.classes)


@pytest.fixture
def labels(dataset):
    """The label of every test image, in their order."""
    return [cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.split("test")]


@pytest.fixture
def oracle(labels):
    """What answers the labels themselves, reduced to the card's size, one after the other."""
    waiting = iter(labels)

    def segment(image):
        assert image.shape == (1, 32, 48, 3)
        assert image.dtype == np.uint8
        return reduced(next(waiting))[None]

    return segment


def reduced(label):
    """To the card's size, as a network of that size would see it at best."""
    return cv2.resize(label, (48, 32), interpolation=cv2.INTER_NEAREST_EXACT)


def test_a_perfect_network_misses_only_what_its_size_costs(oracle, card, dataset, labels):
    metrics = evaluate(oracle, card, dataset, "test")
    confusion = ConfusionMatrix(len(dataset.classes))
    for label in labels:
        confusion.add(label, reduced(label).repeat(2, axis=0).repeat(2, axis=1))  # nearest neighbour, half-pixel
    assert metrics.miou == pytest.approx(confusion.miou(), abs=1e-4)
    assert 0.85 < metrics.miou < 1
    assert metrics.images == len(dataset.split("test"))


def test_background_alone_scores_its_share(card, dataset, labels):
    metrics = evaluate(lambda image: np.zeros((1, 32, 48), np.uint8), card, dataset, "test")
    share = float(np.mean(np.stack(labels) == 0))
    assert metrics.per_class_iou["background"] == pytest.approx(share, abs=1e-4)
    assert metrics.miou == pytest.approx(share / 5, abs=1e-4)


def test_ignored_pixels_count_neither_way(card, dataset, labels, tmp_path):
    shutil.copytree(dataset.root, tmp_path / "set")
    ignoring = Dataset(tmp_path / "set", dataset.classes, dataset.items)
    for item, label in zip(dataset.split("test"), labels, strict=True):
        label[label != 0] = 255
        cv2.imwrite(str(ignoring.root / item.mask), label)
    metrics = evaluate(lambda image: np.zeros((1, 32, 48), np.uint8), card, ignoring, "test")
    assert metrics.miou == 1
    assert metrics.per_class_iou == {"background": 1.0, "apple": None, "banana": None, "leaf": None, "plum": None}


def test_other_classes_are_refused(oracle, dataset):
    other = ModelCard("other", "none", 32, 48, (dataset.classes[0], ClassInfo(1, "pear", (1, 1, 1))))
    with pytest.raises(UserError, match=r"the model knows the classes \['background', 'pear'\], but .* has .*'apple'"):
        evaluate(oracle, other, dataset, "test")


class TestAPublishedModel:
    def test_is_its_newest_version_unless_one_is_named(self, published, dataset):
        by_name = evaluate_published(published.folder.parent, dataset, "validation")
        assert by_name == evaluate_published(published.folder, dataset, "validation")
        assert by_name.split == "validation"

    @pytest.mark.parametrize("path", ["nowhere", "models_repo"])
    def test_must_be_there(self, dataset, tmp_path, path):
        (tmp_path / "models_repo").mkdir()
        with pytest.raises(UserError, match=f"{path} holds no published model: expected models_repo/NAME"):
            evaluate_published(tmp_path / path, dataset, "test")

    @pytest.mark.parametrize("card", [None, "{}"])
    def test_must_have_a_card(self, dataset, tmp_path, write_files, card):
        write_files(tmp_path, {"saved_model.pb": b""} | ({"assets.extra/model_card.json": card} if card else {}))
        with pytest.raises(UserError, match="has no readable model card"):
            evaluate_published(tmp_path, dataset, "test")


def test_the_figures_as_a_table(published):
    metrics = dataclasses.replace(published.card.metrics, images=30, per_class_iou={"background": 0.9, "leaf": None})
    first, *lines = describe(metrics).splitlines()
    assert first == f"test mIoU {metrics.miou:.4f} over {metrics.images} images"
    assert lines == ["  background           0.9000", "  leaf                 absent"]


def test_figures_that_should_not_be_relied_on_say_so(published):
    metrics = dataclasses.replace(published.card.metrics, images=8, per_class_iou={"background": 0.9, "bolt": 0.0})
    assert describe(metrics).splitlines()[-2:] == [
        "  8 images are too few to rely on these figures: label more",
        "  never found: bolt",
    ]
