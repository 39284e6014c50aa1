"""U-Net: Ronneberger, Fischer, Brox, arXiv 1505.04597.

With changes that are usual today: padded convolutions, so that logits have the image's size, batch normalisation, and
bilinear resizing in place of transposed convolutions. Half the paper's widths.
"""

import keras
from keras import KerasTensor, layers

from trainer.models.blocks import class_logits, conv_bn, fcn_head, resize_like
from trainer.models.registry import register

_WIDTHS = (32, 64, 128, 256, 512)  # at strides 1, 2, 4, 8, 16


def _double_conv(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return conv_bn(conv_bn(x, filters, 3, f"{name}_1"), filters, 3, f"{name}_2")


@register("unet", multiple_of=32)
def unet(height: int, width: int, classes: int, auxiliary: bool) -> keras.Model:
    """U-Net with 7.8 million parameters; logits at stride 1, the auxiliary head at stride 4."""
    image = x = keras.Input((height, width, 3), name="image")
    levels = []
    for number, filters in enumerate(_WIDTHS):
        if number > 0:
            x = layers.MaxPooling2D(name=f"down{number}_pool")(x)
        x = _double_conv(x, filters, f"down{number}")
        levels.append(x)

    decoded = {}
    for number in reversed(range(len(_WIDTHS) - 1)):
        joined = layers.Concatenate(name=f"up{number}_concat")([levels[number], resize_like(x, levels[number])])
        x = _double_conv(joined, _WIDTHS[number], f"up{number}")
        decoded[number] = x

    outputs = {"logits": class_logits(x, classes, "logits")}
    if auxiliary:
        outputs["auxiliary"] = fcn_head(decoded[2], classes, "auxiliary")
    return keras.Model(image, outputs, name="unet")
