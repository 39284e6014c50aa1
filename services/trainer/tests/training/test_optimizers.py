"""Optimisers: each compared with its paper's formulas in float64, and which variables weight decay applies to."""

import keras
import numpy as np
import pytest
from keras import ops

from trainer.recipe import Optimizer, Schedule
from trainer.training.optimizers import create_optimizer

STEPS, RATE, DECAY, MOMENTUM = 30, 0.05, 0.1, 0.9
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
NAMES = ["sgd", "adam", "adamw", "radam"]


def apply(optimizer, gradients, variables):
    optimizer.apply_gradients(zip(map(ops.convert_to_tensor, gradients), variables, strict=True))


def sgd(weights, gradient, state, rate, step):
    state["v"] = MOMENTUM * state.get("v", 0) + gradient + DECAY * weights
    return weights - rate * state["v"]


def moments(gradient, state, step):
    """Both of Adam's, without their bias."""
    state["m"] = BETA_1 * state.get("m", 0) + (1 - BETA_1) * gradient
    state["v"] = BETA_2 * state.get("v", 0) + (1 - BETA_2) * gradient**2
    return state["m"] / (1 - BETA_1**step), state["v"] / (1 - BETA_2**step)


def adam(weights, gradient, state, rate, step):
    m, v = moments(gradient + DECAY * weights, state, step)
    return weights - rate * m / (np.sqrt(v) + EPSILON)


def adamw(weights, gradient, state, rate, step):
    m, v = moments(gradient, state, step)
    return weights - rate * (m / (np.sqrt(v) + EPSILON) + DECAY * weights)


def radam(weights, gradient, state, rate, step):
    m, v = moments(gradient, state, step)
    weights = weights - rate * DECAY * weights
    end = 2 / (1 - BETA_2) - 1
    rho = end - 2 * step * BETA_2**step / (1 - BETA_2**step)
    if rho <= 4:
        return weights - rate * m
    r = np.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
    return weights - rate * r * m / (np.sqrt(v) + EPSILON)


@pytest.mark.parametrize("paper", [sgd, adam, adamw, radam], ids=lambda paper: paper.__name__)
def test_steps_are_those_of_the_paper_while_the_rate_decays(paper):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(STEPS, 5))
    expected, state = rng.normal(size=5), {}
    variable = keras.Variable(expected.astype(np.float32), name="kernel")
    options = Optimizer(
        name=paper.__name__, learning_rate=RATE, weight_decay=DECAY, momentum=MOMENTUM,
        schedule=Schedule(power=1), warmup_steps=0,
    )  # fmt: skip
    optimizer = create_optimizer(options, STEPS)
    for number, gradient in enumerate(gradients):
        apply(optimizer, [gradient.astype(np.float32)], [variable])
        expected = paper(expected, gradient, state, RATE * (1 - number / STEPS), number + 1)
        assert variable.numpy() == pytest.approx(expected, rel=2e-4, abs=2e-5), f"step {number + 1}"


@pytest.fixture
def variables():
    """The weights of a convolution with a bias and of a normalisation, all of them one."""
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3, name="layer3_.0.conv1"), keras.layers.BatchNormalization()]
    )
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    return model.trainable_variables


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decay", [0.5, 0])
def test_weight_decay_shrinks_only_kernels(name, decay, variables):
    """With gradients of zero, what moves is moved by weight decay."""
    optimizer = create_optimizer(Optimizer(name=name, weight_decay=decay, warmup_steps=0), total_steps=10**6)
    apply(optimizer, [np.zeros(v.shape, np.float32) for v in variables], variables)
    moved = {v.name for v in variables if (v.numpy() != 1).any()}
    assert moved == ({"kernel"} if decay else set())


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_is_serializable(name):
    optimizer = create_optimizer(Optimizer(name=name, weight_decay=0.5), total_steps=10)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.get_config() == optimizer.get_config()
