"""Optimisers: the learning rate at known steps, and whom weight decay touches."""

import keras
import numpy as np
import pytest

from trainer.recipe import Optimizer
from trainer.training.optimizers import PolyDecay, create_optimizer


class TestPolyDecay:
    def test_at_known_steps(self):
        schedule = PolyDecay(peak=0.01, total_steps=1000, warmup_steps=0, power=0.9)
        known = {0: 0.01, 250: 0.01 * 0.75**0.9, 500: 0.01 * 0.5**0.9, 999: 0.01 * 0.001**0.9, 1000: 0}
        assert {step: float(schedule(step)) for step in known} == pytest.approx(known, rel=1e-4)

    def test_the_warm_up_is_linear_and_starts_above_zero(self):
        schedule = PolyDecay(peak=1.0, total_steps=10**7, warmup_steps=4, power=0.9)
        assert [float(schedule(step)) for step in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1], rel=1e-4)

    def test_past_its_end_it_stays_zero(self):
        assert float(PolyDecay(peak=1.0, total_steps=10, warmup_steps=0, power=0.9)(11)) == 0

    def test_keras_saves_and_reads_it(self):
        schedule = PolyDecay(peak=0.1, total_steps=10, warmup_steps=2, power=0.5)
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
        assert again.get_config() == schedule.get_config()


@pytest.fixture
def network():
    """One of each kind of weight, all of them one."""
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3, name="layer3_.0.conv1"), keras.layers.BatchNormalization()]
    )
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    return model


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_shrinks_kernels_and_nothing_else(name, network):
    """With gradients of zero, what moves is moved by weight decay: by learning rate times decay."""
    options = Optimizer(name=name, learning_rate=0.1, weight_decay=0.5, warmup_steps=0)
    optimizer = create_optimizer(options, total_steps=10**6)
    zeros = [np.zeros(v.shape, np.float32) for v in network.trainable_variables]
    optimizer.apply_gradients(zip(map(keras.ops.convert_to_tensor, zeros), network.trainable_variables, strict=True))
    left = {v.name: float(v.numpy().mean()) for v in network.trainable_variables}
    assert left == pytest.approx({"kernel": 0.95, "bias": 1, "gamma": 1, "beta": 1})


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_without_weight_decay_nothing_shrinks(name, network):
    optimizer = create_optimizer(Optimizer(name=name, weight_decay=0), total_steps=10)
    zeros = [keras.ops.zeros(v.shape) for v in network.trainable_variables]
    optimizer.apply_gradients(zip(zeros, network.trainable_variables, strict=True))
    assert all((v.numpy() == 1).all() for v in network.trainable_variables)


def test_sgd_s_first_step_is_the_learning_rate_times_the_gradient(network):
    optimizer = create_optimizer(Optimizer(learning_rate=0.1, weight_decay=0, warmup_steps=0), total_steps=10**6)
    ones = [keras.ops.ones(v.shape) for v in network.trainable_variables]
    optimizer.apply_gradients(zip(ones, network.trainable_variables, strict=True))
    assert all(np.allclose(v.numpy(), 0.9) for v in network.trainable_variables)
