"""BatchNorm folded: fewer operations, the same numbers; and left alone where folding would change them."""

from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trainer.frozen.folding import fold_batch_norms

SIDE, CHANNELS = 8, 4


def frozen(call):
    """Of float32 [N, SIDE, SIDE, CHANNELS]."""
    image = tf.TensorSpec([None, SIDE, SIDE, CHANNELS], tf.float32)
    return convert_variables_to_constants_v2(tf.function(call).get_concrete_function(image), lower_control_flow=False)


def operations(function):
    return Counter(node.op for node in function.graph.as_graph_def().node)


@pytest.fixture
def fold():
    """``fold(call)``: its operations once folded, after the outputs have been compared."""

    def check(call):
        before = frozen(call)
        after = fold_batch_norms(before)
        images = tf.constant(np.random.default_rng(0).standard_normal((3, SIDE, SIDE, CHANNELS)), tf.float32)
        expected = before(images)[0].numpy()
        assert expected.std() > 0.1
        np.testing.assert_allclose(after(images)[0].numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
        return operations(after)

    return check


def network(*body):
    """A Keras model of ``body`` whose BatchNorms are no identities."""
    model = keras.Sequential([keras.Input((SIDE, SIDE, CHANNELS)), *body])
    random = np.random.default_rng(1)
    for variable in model.weights:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return lambda images: model(images, training=False)


CONVOLUTIONS = {
    "Conv2D": lambda: layers.Conv2D(6, 3, use_bias=False),
    "with bias": lambda: layers.Conv2D(6, 3),
    "strided": lambda: layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
    "dilated": lambda: layers.Conv2D(6, 3, dilation_rate=2, padding="same", use_bias=False),
    "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(3, padding="same", use_bias=False),
    "multiplied": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
    "depthwise, dilated": lambda: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", use_bias=False),
    "SeparableConv2D": lambda: layers.SeparableConv2D(6, 3, use_bias=False),
    "Conv2DTranspose": lambda: layers.Conv2DTranspose(6, 2, strides=2, use_bias=False),
}


@pytest.mark.parametrize("convolution", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_batch_norm_becomes_filter_and_bias(fold, convolution):
    left = fold(network(convolution(), layers.BatchNormalization(), layers.ReLU()))
    assert not left.keys() & {"Rsqrt", "Mul", "Sub", "AddV2"}
    assert left["BiasAdd"] == 1


def test_unfolded_weights_are_gone():
    function = frozen(network(layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization()))
    constants = [n for n in fold_batch_norms(function).graph.as_graph_def().node if n.op == "Const"]
    values = [tf.make_ndarray(node.attr["value"].tensor) for node in constants]
    assert sum(value.size for value in values if value.dtype == np.float32) == 3 * 3 * CHANNELS * 6 + 6


def test_fused_batch_norm_of_tensorflow_1_is_folded(fold):
    random = np.random.default_rng(2)
    kernel = tf.constant(random.standard_normal((3, 3, CHANNELS, 6)), tf.float32)
    gamma, beta, mean, variance = tf.unstack(tf.constant(random.uniform(0.5, 1.5, (4, 6)), tf.float32))

    def call(images):
        convolved = tf.nn.conv2d(images, kernel, 1, "SAME")
        return tf.compat.v1.nn.fused_batch_norm(convolved, gamma, beta, mean, variance, is_training=False)[0]

    assert not fold(call).keys() & {"FusedBatchNormV3", "Mul"}


class TestNotFolded:
    def test_before_a_convolution_whose_padding_is_zeros(self, fold):
        left = fold(network(layers.BatchNormalization(), layers.Conv2D(6, 3, padding="same", use_bias=False)))
        assert left["Rsqrt"] == 1

    def test_after_a_relu(self, fold):
        assert fold(network(layers.Conv2D(6, 3), layers.ReLU(), layers.BatchNormalization()))["Rsqrt"] == 1

    def test_after_a_convolution_with_two_consumers(self, fold):
        convolution = layers.Conv2D(CHANNELS, 3, padding="same", use_bias=False)
        norm = network(layers.BatchNormalization())
        assert fold(lambda images: norm(convolved := convolution(images)) - tf.nn.relu(convolved))["Rsqrt"] == 1

    def test_a_factor_for_each_pixel(self, fold):
        factors = tf.constant(np.random.default_rng(3).uniform(1, 2, (SIDE, SIDE, 1)), tf.float32)
        convolution = layers.Conv2D(6, 3, padding="same", use_bias=False)
        assert fold(lambda images: convolution(images) * factors)["Mul"] == 1


def test_sum_with_two_consumers_does_not_break_tensorflow_s_fusing(fold, capfd):
    """Of BiasAdd, its remapper would make a graph it then refuses."""
    blocks = [
        network(layers.Conv2D(CHANNELS, 3, padding="same", use_bias=False), layers.BatchNormalization())
        for _ in range(2)
    ]

    def call(images):
        total = blocks[0](images) + tf.nn.relu(images)
        return tf.nn.relu(total) + (total + blocks[1](tf.nn.relu(total)))

    fold(call)
    assert "remapper failed" not in capfd.readouterr().err
