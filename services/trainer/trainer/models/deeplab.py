"""DeepLabV3+: Chen et al., arXiv 1802.02611, on backbones of ``keras.applications``.

Features at stride 16 go through pyramid pooling by dilated convolutions (ASPP), are resized to stride 4, joined by
features of that stride for the borders, and refined by separable convolutions; logits are at stride 4.
"""

import functools
from dataclasses import dataclass

import keras
from keras import KerasTensor, layers

from trainer.models.backbones import BACKBONES
from trainer.models.blocks import class_logits, conv_bn, fcn_head, resize_like, separable_conv_bn
from trainer.models.registry import register

_RATES = (6, 12, 18)  # the paper's, for output stride 16
_LOW_FILTERS = 48  # the width of the features that join at stride 4, the paper's


@dataclass(frozen=True)
class DecoderConfig:
    """The width of pyramid pooling and decoder, and their activation."""

    filters: int
    activation: str = "swish"


def _aspp(x: KerasTensor, filters: int, activation: str) -> KerasTensor:
    """Atrous spatial pyramid pooling: the same features seen through windows of several sizes, and as a whole."""
    branches = [conv_bn(x, filters, 1, "aspp_1x1", activation)]
    for rate in _RATES:
        branches.append(separable_conv_bn(x, filters, f"aspp_rate{rate}", activation, dilation=rate))
    whole = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_pool")(x)
    branches.append(resize_like(conv_bn(whole, filters, 1, "aspp_whole", activation), x))
    return conv_bn(layers.Concatenate(name="aspp_concat")(branches), filters, 1, "aspp_project", activation)


def _deeplabv3plus(
    backbone: str, decoder: DecoderConfig, height: int, width: int, classes: int, auxiliary: bool, weights: str | None
) -> keras.Model:
    filters, activation = decoder.filters, decoder.activation
    image, (low, middle, high) = BACKBONES[backbone].features(height, width, weights)

    low = conv_bn(low, _LOW_FILTERS, 1, "decoder_low", activation)
    x = resize_like(_aspp(high, filters, activation), low)
    x = layers.Concatenate(name="decoder_concat")([x, low])
    x = separable_conv_bn(x, filters, "decoder_1", activation)
    x = separable_conv_bn(x, filters, "decoder_2", activation)

    outputs = {"logits": class_logits(x, classes, "logits")}
    if auxiliary:
        outputs["auxiliary"] = fcn_head(middle, classes, "auxiliary", activation)
    return keras.Model(image, outputs, name=f"deeplabv3plus_{backbone}")


_DECODERS = {
    "efficientnetv2_s": DecoderConfig(256),
    "efficientnetv2_b0": DecoderConfig(192),
    # Narrow: a decoder of 256 would cost many times what a small backbone does.
    "mobilenetv3_small": DecoderConfig(128, activation="hard_swish"),
    "mobilenetv3_large": DecoderConfig(128, activation="hard_swish"),
}

for _backbone, _decoder in _DECODERS.items():
    register(f"deeplabv3plus_{_backbone}", multiple_of=32, backbone=True)(
        functools.partial(_deeplabv3plus, _backbone, _decoder)
    )
