"""The trainer's command line with a network small enough for tests of the loop: ``python tiny.py train …``.

Two convolutions with batch normalisation, a dropout, and logits at stride 2; it is registered as ``tiny``.
"""

import sys

import keras
from keras import layers

from trainer.commands.cli import main
from trainer.models.blocks import class_logits, conv_bn
from trainer.models.registry import register


@register("tiny", multiple_of=2)
def tiny(height, width, classes, auxiliary):
    image = keras.Input((height, width, 3), name="image")
    x = layers.AveragePooling2D(2)(image)
    x = conv_bn(conv_bn(x, 8, 3, "first"), 8, 3, "second")
    # A tenth of nothing: it draws numbers, and so has a state, but two devices need not draw the same ones.
    x = layers.Dropout(1e-6, name="dropout")(x)
    outputs = {"logits": class_logits(x, classes, "logits")}
    if auxiliary:
        outputs["auxiliary"] = class_logits(x, classes, "auxiliary")
    return keras.Model(image, outputs, name="tiny")


if __name__ == "__main__":
    sys.exit(main())
