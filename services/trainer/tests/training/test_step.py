"""One step: accumulation, clipping, loss scaling, the average. On several devices: test_several_devices.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.training.distribution import Distribution
from trainer.training.network import create_network
from trainer.training.optimizers import create_optimizer
from trainer.training.step import TrainStep

CLASSES = 3


@pytest.fixture(scope="module")
def batch():
    """Four images of 32x48 and labels, some ignored."""
    random = np.random.default_rng(0)
    labels = random.choice([0, 1, 2, 255], [4, 32, 48]).astype(np.uint8)
    return tf.constant(random.integers(0, 256, [4, 32, 48, 3]).astype(np.uint8)), tf.constant(labels)


@pytest.fixture
def start(tiny_recipe):
    """``start("accumulate=2", …)``: a network of the same weights each time, and its step."""

    def create(*overrides):
        keras.utils.set_random_seed(1)
        recipe = tiny_recipe("auxiliary_weight=0", "optimizer.weight_decay=0", *overrides)
        network = create_network(recipe, CLASSES, Distribution())
        return network, TrainStep(recipe, network, create_optimizer(recipe.optimizer, 10**6), Distribution())

    return create


def moved(network, before):
    return [after.numpy() - old for after, old in zip(network.trained.trainable_variables, before, strict=True)]


def trainable(network):
    return [variable.numpy() for variable in network.trained.trainable_variables]


def test_two_equal_micro_batches_are_one_step_on_one(start, batch):
    network, step = start()
    before = trainable(network)
    step(iter([batch]))
    once, loss = moved(network, before), step.take_loss()

    network, step = start("accumulate=2")
    step(iter([batch, batch]))
    for ours, theirs in zip(moved(network, before), once, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert step.take_loss() == pytest.approx(loss)
    assert int(step.optimizer.iterations) == 1


def test_accumulated_gradients_are_reset_after_the_step(start, batch):
    _, step = start("accumulate=2")
    step(iter([batch, batch]))
    assert all((total.numpy() == 0).all() for total in step._sums)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_clipping_bounds_the_global_norm(start, batch, precision):
    network, step = start("optimizer.clip_norm=0.01", "optimizer.momentum=0", f"precision={precision}")
    before = trainable(network)
    step(iter([batch]))
    norm = np.sqrt(sum((change**2).sum() for change in moved(network, before)))
    assert norm == pytest.approx(0.05 * 0.01, rel=2e-3)  # the learning rate times the bound


def test_float16_overflow_halves_the_scale_and_changes_no_weight(start, batch):
    network, step = start("precision=mixed_float16")
    step.optimizer.dynamic_scale.assign(1e38)
    before = trainable(network)
    step(iter([batch]))
    assert float(step.optimizer.dynamic_scale) == pytest.approx(0.5e38)
    assert all((change == 0).all() for change in moved(network, before))
    assert np.isfinite(step.take_loss()[0])


def test_taking_the_loss_resets_it(start, batch):
    _, step = start("optimizer.learning_rate=1e-9")
    step(iter([batch]))
    step(iter([batch]))
    total, steps = step.take_loss()
    assert steps == 2
    assert total / 2 == pytest.approx(np.log(CLASSES), abs=1)
    assert step.take_loss() == (0, 0)


def test_moving_average_covers_weights_and_batch_statistics(start, batch):
    network, step = start("average=0.5")
    expected = [weight.numpy().astype(np.float64) for weight in network.trained.weights]
    for number in range(1, 13):
        step(iter([batch]))
        decay = min(0.5, (1 + number) / (10 + number))
        expected = [
            decay * old + (1 - decay) * weight.numpy()
            for old, weight in zip(expected, network.trained.weights, strict=True)
        ]
    for ours, theirs in zip(network.kept.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert not np.allclose(network.kept.get_weights()[0], network.trained.get_weights()[0])


def test_variables_include_random_states(start):
    network, step = start("average=0.5")
    (dropout,) = (layer for layer in network.trained.layers if layer.name == "dropout")
    kept = {id(variable) for variable in step.variables()}
    needed = [dropout.seed_generator.state, *network.trained.weights, *step.optimizer.variables, *network.kept.weights]
    assert {id(variable) for variable in needed} <= kept
