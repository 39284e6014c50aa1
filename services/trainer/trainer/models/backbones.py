"""Backbones of ``keras.applications`` with output stride 16, fed with our normalised input.

Their last stage loses its stride, and the depthwise convolutions after the one that had it are dilated by 2 (atrous
convolution, arXiv 1706.05587): each kernel tap then still falls on the features that it fell on while ImageNet's
weights were trained. The weights themselves fit unchanged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import KerasTensor, layers

from trainer.models.preprocessing import IMAGENET, from_normalized


@dataclass(frozen=True)
class Backbone:
    """One of ``keras.applications``, and the names of layers and blocks in it.

    Args:
        build: its constructor.
        scale: with ``offset``, what it was trained on: ``pixel * scale + offset`` a channel, pixels 0..255.
        offset: see ``scale``.
        low: the tap at stride 4.
        middle: the tap before the last stage.
        high: the tap at stride 16.
        strided: the prefix of the block that loses its stride.
        dilated: the prefixes of the blocks after it.
    """

    build: Callable[..., keras.Model]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    low: str
    middle: str
    high: str
    strided: str
    dilated: tuple[str, ...]

    def features(
        self, height: int, width: int, weights: str | None
    ) -> tuple[KerasTensor, tuple[KerasTensor, KerasTensor, KerasTensor]]:
        """The symbolic input image and its features at the taps (low, middle, high).

        Args:
            height: of the image, in pixels.
            width: of the image, in pixels.
            weights: ``"imagenet"``, which is downloaded, a file that ``keras.applications`` reads, or None.

        Raises:
            ValueError: they cannot be downloaded, or the file has none for this backbone.
        """
        # ImageNet's size, for which keras.applications has the weights without a warning; they fit any other.
        x = from_normalized(keras.Input((224, 224, 3)), self.scale, self.offset)
        try:
            trained = self.build(
                include_top=False,
                weights=weights,
                include_preprocessing=False,
                input_tensor=x,
                input_shape=(224, 224, 3),
            )
        except Exception as error:  # Keras's download raises no narrower one
            reason = str(error).partition("\n")[0].rstrip(".")
            if weights == "imagenet":
                what = "ImageNet's weights for it could not be downloaded"
                instead = "pretrained=FILE takes them from a file, pretrained=false starts without"
            else:
                what, instead = (
                    f"{weights} cannot be read",
                    "expected a file of this backbone's weights without its top",
                )
            raise ValueError(f"{self.build.__name__}: {what} ({reason}): {instead}") from None
        image = keras.Input((height, width, 3), name="image")
        model = keras.models.clone_model(trained, input_tensors=[image], clone_function=self._adapt)
        model.set_weights(trained.get_weights())
        return image, tuple(model.get_layer(name).output for name in (self.low, self.middle, self.high))

    def _adapt(self, layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if layer.name.startswith(self.strided) and isinstance(layer, layers.ZeroPadding2D):
            return layers.Identity(name=layer.name)  # the padding of the removed stride
        if layer.name.startswith(self.strided) and isinstance(layer, layers.DepthwiseConv2D):
            config |= {"strides": 1, "padding": "same"}
        elif layer.name.startswith(self.dilated) and isinstance(layer, layers.DepthwiseConv2D):
            config |= {"dilation_rate": 2}
        elif isinstance(layer, layers.BatchNormalization):
            # MobileNetV3's 0.999 is for ImageNet's hundreds of thousands of steps: a few thousand would not reach it.
            config |= {"momentum": 0.9}
        elif isinstance(layer, layers.GlobalAveragePooling2D):
            # A pooling that keeps its dimensions needs no Reshape, whose unknown batch size splits TensorRT's engines.
            config |= {"keepdims": True}
        elif isinstance(layer, layers.Reshape):
            return layers.Identity(name=layer.name)
        return type(layer).from_config(config)


_MINUS_ONE_TO_ONE = {"scale": (1 / 127.5,) * 3, "offset": (-1.0,) * 3}

BACKBONES = {
    "efficientnetv2_s": Backbone(
        keras.applications.EfficientNetV2S,
        scale=(1 / 128,) * 3,
        offset=(-1.0,) * 3,
        low="block2d_add",  # 48 channels
        middle="block5i_add",  # 160
        high="block6o_add",  # 256
        strided="block6a_",
        dilated=tuple(f"block6{letter}_" for letter in "bcdefghijklmno"),
    ),
    "efficientnetv2_b0": Backbone(
        keras.applications.EfficientNetV2B0,
        scale=tuple(1 / (255 * std) for std in IMAGENET.std),
        offset=tuple(-mean / std for mean, std in zip(IMAGENET.mean, IMAGENET.std, strict=True)),
        low="block2b_add",  # 32 channels
        middle="block5e_add",  # 112
        high="block6h_add",  # 192
        strided="block6a_",
        dilated=tuple(f"block6{letter}_" for letter in "bcdefgh"),
    ),
    "mobilenetv3_small": Backbone(
        keras.applications.MobileNetV3Small,
        **_MINUS_ONE_TO_ONE,
        low="expanded_conv_project_bn",  # 16 channels; it has 24 at stride 8 and beyond
        middle="expanded_conv_7_add",  # 48
        high="expanded_conv_10_add",  # 96
        strided="expanded_conv_8_",
        dilated=("expanded_conv_9_", "expanded_conv_10_"),
    ),
    "mobilenetv3_large": Backbone(
        keras.applications.MobileNetV3Large,
        **_MINUS_ONE_TO_ONE,
        low="expanded_conv_2_add",  # 24 channels
        middle="expanded_conv_11_add",  # 112
        high="expanded_conv_14_add",  # 160
        strided="expanded_conv_12_",
        dilated=("expanded_conv_13_", "expanded_conv_14_"),
    ),
}
