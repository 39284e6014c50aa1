"""Batch normalisation as TensorFlow's one fused operation, where Keras trains with a dozen."""

from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import ops


def fuse_batch_normalization(model: keras.Model) -> None:
    """Have every batch normalisation of ``model`` that can train with the fused operation.

    The results are Keras's to rounding, moving averages included. It is a switch of the built layers, so that networks
    and saved files know nothing of it; benchmarks/train_step.py measures the gain.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and _can_be_fused(layer):
            layer.call = partial(_call, layer, layer.call)


def _can_be_fused(layer: keras.layers.BatchNormalization) -> bool:
    has_four_axes = layer.input_spec is not None and layer.input_spec.ndim == 4
    return has_four_axes and layer.axis in (-1, 3) and layer.scale and layer.center and not layer.renorm


def _call(
    layer: keras.layers.BatchNormalization,
    plain: Any,
    inputs: tf.Tensor,
    training: bool | None = None,
    mask: Any = None,
) -> tf.Tensor:
    if not training or not layer.trainable or layer.synchronized or mask is not None:
        return plain(inputs, training=training, mask=mask)
    if inputs.dtype == tf.bfloat16:  # not every device has the operation in it
        inputs = tf.cast(inputs, tf.float32)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=ops.cast(layer.gamma, "float32"),
        offset=ops.cast(layer.beta, "float32"),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
    )
    # The operation gives the unbiased variance; Keras averages the biased one.
    pixels = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    variance *= tf.maximum(pixels - 1, 1) / pixels
    for average, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average.assign(average * layer.momentum + batch * (1 - layer.momentum))
    return tf.cast(outputs, layer.compute_dtype)
