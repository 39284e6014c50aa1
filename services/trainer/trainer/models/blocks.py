"""Building blocks that several networks share."""

import keras
from keras import KerasTensor, layers, ops


def resize_like(x: KerasTensor, like: KerasTensor) -> KerasTensor:
    """Bilinear, half-pixel centres (``align_corners=False``), to the height and width of ``like``."""
    return ops.image.resize(x, like.shape[1:3], interpolation="bilinear")


def he_normal() -> keras.Initializer:
    """He et al., arXiv 1502.01852, by fan-out, as the authors' PyTorch code initialises convolutions.

    A new object each time: one unseeded initializer would give equal kernels to every layer of one shape.
    """
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")


def class_logits(x: KerasTensor, classes: int, name: str) -> KerasTensor:
    """A 1x1 convolution to logits, which stay float32 under mixed precision."""
    return layers.Conv2D(classes, 1, kernel_initializer=he_normal(), dtype="float32", name=name)(x)


def conv_bn(x: KerasTensor, filters: int, kernel: int, name: str, activation: str = "relu") -> KerasTensor:
    """Convolution at stride 1 without bias, batch normalisation, activation."""
    x = layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, kernel_initializer=he_normal(), name=f"{name}_conv"
    )(x)
    return _bn_activation(x, name, activation)


def separable_conv_bn(
    x: KerasTensor, filters: int, name: str, activation: str = "relu", dilation: int = 1
) -> KerasTensor:
    """A 3x3 depthwise and a 1x1 convolution at stride 1 without bias, batch normalisation, activation."""
    x = layers.SeparableConv2D(
        filters,
        3,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        depthwise_initializer=he_normal(),
        pointwise_initializer=he_normal(),
        name=f"{name}_conv",
    )(x)
    return _bn_activation(x, name, activation)


def _bn_activation(x: KerasTensor, name: str, activation: str) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def fcn_head(x: KerasTensor, classes: int, name: str, activation: str = "relu") -> KerasTensor:
    """An auxiliary head: one 3x3 convolution to a quarter of the channels, then logits (FCN, arXiv 1411.4038)."""
    return class_logits(conv_bn(x, x.shape[-1] // 4, 3, name, activation), classes, f"{name}_logits")
