"""Fused batch normalisation: the same results as Keras's own, in one operation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.training.fused import fuse_batch_normalization


def build(dtype="float32", **options):
    """A normalisation of images, whose weights are not those it starts with."""
    image = keras.Input((5, 7, 3))
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, **options)
    model = keras.Model(image, layer(image))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.weights])
    return model


def trained(model, images):
    """Outputs, gradients and weights of one training step's forward and backward pass."""

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
        return outputs, tape.gradient(loss, [images, *model.trainable_variables])

    outputs, gradients = step(images)
    return [outputs, *gradients, *model.weights], step.get_concrete_function(images).graph


def operations(graph):
    return {operation.type for operation in graph.get_operations()}


@pytest.fixture
def images():
    return tf.constant(np.random.default_rng(1).normal(3, 2, (4, 5, 7, 3)).astype(np.float32))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 0.05)])
def test_training_is_that_of_keras(images, dtype, tolerance):
    plain, fused = build(dtype), build(dtype)
    fuse_batch_normalization(fused)
    expected, _ = trained(plain, images)
    found, graph = trained(fused, images)
    assert "FusedBatchNormV3" in operations(graph)
    for theirs, ours in zip(expected, found, strict=True):
        theirs, ours = (np.asarray(tf.cast(v, tf.float32)) for v in (theirs, ours))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max())


def test_inference_and_saved_files_are_those_of_keras(images):
    model = build()
    before, config = model(images, training=False).numpy(), model.to_json()
    fuse_batch_normalization(model)
    np.testing.assert_array_equal(model(images, training=False).numpy(), before)
    assert model.to_json() == config


@pytest.mark.parametrize("options", [{"synchronized": True}, {"scale": False}, {"axis": 1}, {"trainable": False}])
def test_unsupported_layers_are_left_to_keras(images, options):
    model = build(**options)
    fuse_batch_normalization(model)
    _, graph = trained(model, images)
    assert "FusedBatchNormV3" not in operations(graph)
