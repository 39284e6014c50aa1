"""Data sets whose right answers are known, and networks that give known answers."""

import cv2
import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from trainer.data.dataset import Dataset, Item
from trainer.inference.segmenter import Segmenter

PALETTE = np.random.default_rng(0).permutation(256)[:30]  # the grey level that an oracle reads as class id


@pytest.fixture
def labelled(tmp_path):
    """``labelled(labels, predictions, classes)``: a set of these labels, whose images tell an oracle what to answer."""

    def make(labels, predictions, classes):
        infos = tuple(ClassInfo(number, f"class {number}", (number, 0, 0)) for number in range(classes))
        items = tuple(Item(f"{n}", f"images/{n}.png", f"masks/{n}.png", split="test") for n in range(len(labels)))
        for item, label, prediction in zip(items, labels, predictions, strict=True):
            for name, picture in ((item.mask, label), (item.image, PALETTE[np.asarray(prediction)])):
                (tmp_path / name).parent.mkdir(exist_ok=True)
                assert cv2.imwrite(str(tmp_path / name), np.asarray(picture, np.uint8))
        dataset = Dataset(tmp_path, infos, items)
        dataset.save()
        return dataset

    return make


@pytest.fixture
def oracle():
    """``oracle(dataset, height, width)``: answers what the images of ``labelled`` tell it to."""

    def make(dataset, height, width):
        table = np.zeros(256, np.uint8)
        table[PALETTE] = np.arange(len(PALETTE))
        card = ModelCard("oracle", "none", height, width, dataset.classes)
        return Segmenter("oracle", card, lambda images: table[images[..., 0]], None, lambda: 7_000_000_000)

    return make
