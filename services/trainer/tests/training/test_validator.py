"""Validation during training: every image counts once, with a smaller last batch and ignored pixels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from contract import IGNORE_ID
from trainer.datasets.pair import read_pair
from trainer.losses.total import total_loss
from trainer.metrics.confusion import ConfusionMatrix
from trainer.models.preprocessing import normalize, upsample
from trainer.training.distribution import Distribution
from trainer.training.network import create_network
from trainer.training.validator import Validator


@pytest.fixture
def measured(tiny_recipe, dataset):
    """Six images in batches of four: what is measured, and the expected values from all six at once."""
    recipe = tiny_recipe("data.input_height=64", "data.input_width=96", "losses=[cross_entropy, dice]")
    keras.utils.set_random_seed(3)
    items = dataset.split("validation")[:6]
    network = create_network(recipe, len(dataset.classes), Distribution())
    found = Validator(recipe, network, dataset, items, Distribution())(lambda: False)

    pairs = [read_pair(dataset, item) for item in items]
    images, labels = np.stack([p.image for p in pairs]), np.stack([p.mask for p in pairs])
    outputs = {head: upsample(logits, 64, 96) for head, logits in network.kept(normalize(images)).items()}
    weighed = {"logits": 1.0, "auxiliary": recipe.auxiliary_weight}
    loss = sum(weighed[head] * total_loss(recipe.losses, tf.constant(labels), x) for head, x in outputs.items())
    return found, images, labels, np.argmax(outputs["logits"], axis=-1), float(loss)


def test_result_is_that_of_all_images_together(measured):
    found, _, labels, masks, loss = measured
    expected = ConfusionMatrix(len(found.confusion.counts))
    expected.add(labels, masks)
    np.testing.assert_array_equal(found.confusion.counts, expected.counts)
    assert found.confusion.counts.sum() == (labels != IGNORE_ID).sum()
    assert found.loss == pytest.approx(loss, rel=1e-4)


def test_samples_are_the_first_images(measured):
    found, images, labels, masks, _ = measured
    for ours, theirs in zip(found.samples, (images, labels, masks), strict=True):
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, theirs[:4])


def test_interrupted_validation_gives_nothing(tiny_recipe, dataset):
    recipe = tiny_recipe()
    network = create_network(recipe, len(dataset.classes), Distribution())
    validator = Validator(recipe, network, dataset, dataset.split("validation"), Distribution())
    assert validator(lambda: True) is None
