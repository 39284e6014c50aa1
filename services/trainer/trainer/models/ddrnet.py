"""DDRNet: deep dual-resolution networks for real-time semantic segmentation.

Source: Hong, Pan, Sun, Jia, arXiv 2101.06085, and the authors' PyTorch code (ydhongHIT/DDRNet, MIT). The port
follows that code operation for operation, so that its weights give its logits: layers carry the names of the
authors' state dict (``layer3_.0.conv1``), strided convolutions and pools pad explicitly as PyTorch does, and average
pools count the padded zeros. Two paths run from 1/8 on: ``low`` goes down to 1/64 and ends in the pyramid pooling
DAPPM, ``high`` stays at 1/8, and they exchange features after each stage.
"""

from dataclasses import dataclass

import keras
from keras import KerasTensor, layers

from trainer.models.blocks import class_logits, he_normal, resize_like
from trainer.models.registry import register

# Pyramid pooling branches: kernel, stride; padding equals the stride.
_DAPPM_POOLS = {"scale1": (5, 2), "scale2": (9, 4), "scale3": (17, 8)}


@dataclass(frozen=True)
class DDRNetConfig:
    """One member of the family.

    Args:
        planes: width of the stem; all other widths but the two below are multiples of it.
        spp_planes: width of a pyramid pooling branch.
        head_planes: width of the segmentation heads.
        blocks: residual blocks of stages 1 to 4.
        layer3_parts: what the parts of stage 3 add to its layers' names; the paths exchange features after each part.
    """

    planes: int
    spp_planes: int
    head_planes: int
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    layer3_parts: tuple[str, ...] = ("",)


def _name(name: str) -> str:
    """The state dict's name, but for Keras's PyTorch backend, whose parameter names cannot have a dot."""
    return name.replace(".", ":") if keras.config.backend() == "torch" else name


def _conv(x: KerasTensor, filters: int, kernel: int, name: str, stride: int = 1, bias: bool = False) -> KerasTensor:
    """A convolution padded by ``kernel // 2`` on every side, as PyTorch pads it (Keras's SAME differs at stride 2)."""
    padding = "same"
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
        padding = "valid"
    return layers.Conv2D(
        filters, kernel, stride, padding, use_bias=bias, kernel_initializer=he_normal(), name=_name(name)
    )(x)


def _bn(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=_name(name))(x)


def _relu(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(x)


def _shortcut(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    if stride == 1 and x.shape[-1] == filters:
        return x
    return _bn(_conv(x, filters, 1, f"{name}.downsample.0", stride), f"{name}.downsample.1")


def _basic_block(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    y = _relu(_bn(_conv(x, filters, 3, f"{name}.conv1", stride), f"{name}.bn1"))
    y = _bn(_conv(y, filters, 3, f"{name}.conv2"), f"{name}.bn2")
    return layers.Add(name=_name(f"{name}.add"))([y, _shortcut(x, filters, stride, name)])


def _bottleneck(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    y = _relu(_bn(_conv(x, filters, 1, f"{name}.conv1"), f"{name}.bn1"))
    y = _relu(_bn(_conv(y, filters, 3, f"{name}.conv2", stride), f"{name}.bn2"))
    y = _bn(_conv(y, 2 * filters, 1, f"{name}.conv3"), f"{name}.bn3")
    return layers.Add(name=_name(f"{name}.add"))([y, _shortcut(x, 2 * filters, stride, name)])


def _stage(x: KerasTensor, filters: int, blocks: int, stride: int, name: str) -> KerasTensor:
    """Basic blocks; the last ends without ReLU, because what follows adds to it first."""
    x = _basic_block(x, filters, stride, f"{name}.0")
    for number in range(1, blocks):
        x = _basic_block(_relu(x), filters, 1, f"{name}.{number}")
    return x


def _dappm(x: KerasTensor, branch: int, out: int) -> KerasTensor:
    """Deep aggregation pyramid pooling: each wider context is added to the one before it, then refined."""

    def bn_relu_conv(x: KerasTensor, filters: int, kernel: int, name: str, first: int) -> KerasTensor:
        return _conv(_relu(_bn(x, f"{name}.{first}")), filters, kernel, f"{name}.{first + 2}")

    contexts = []
    for name, (kernel, stride) in _DAPPM_POOLS.items():
        pooled = layers.AveragePooling2D(kernel, stride)(layers.ZeroPadding2D(stride)(x))
        contexts.append(bn_relu_conv(pooled, branch, 1, f"spp.{name}", 1))
    whole = layers.GlobalAveragePooling2D(keepdims=True)(x)
    contexts.append(bn_relu_conv(whole, branch, 1, "spp.scale4", 1))

    ys = [bn_relu_conv(x, branch, 1, "spp.scale0", 0)]
    for number, context in enumerate(contexts, start=1):
        ys.append(bn_relu_conv(resize_like(context, x) + ys[-1], branch, 3, f"spp.process{number}", 0))
    merged = bn_relu_conv(layers.Concatenate()(ys), out, 1, "spp.compression", 0)
    return merged + bn_relu_conv(x, out, 1, "spp.shortcut", 0)


def _head(x: KerasTensor, planes: int, classes: int, name: str) -> KerasTensor:
    x = _conv(_relu(_bn(x, f"{name}.bn1")), planes, 3, f"{name}.conv1")
    return class_logits(_relu(_bn(x, f"{name}.bn2")), classes, _name(f"{name}.conv2"))


def _ddrnet(config: DDRNetConfig, name: str, height: int, width: int, classes: int, auxiliary: bool) -> keras.Model:
    planes, high_planes, blocks = config.planes, 2 * config.planes, config.blocks
    image = keras.Input((height, width, 3), name="image")

    x = _relu(_bn(_conv(image, planes, 3, "conv1.0", 2, bias=True), "conv1.1"))
    x = _relu(_bn(_conv(x, planes, 3, "conv1.3", 2, bias=True), "conv1.4"))
    x = _relu(_stage(x, planes, blocks[0], 1, "layer1"))
    low = high = _relu(_stage(x, 2 * planes, blocks[1], 2, "layer2"))

    for number, part in enumerate(config.layer3_parts):
        part_blocks = blocks[2] // len(config.layer3_parts)
        low = _stage(low, 4 * planes, part_blocks, 2 if number == 0 else 1, f"layer3{part}")
        high = _stage(high, high_planes, part_blocks, 1, f"layer3{part}_")
        down = _bn(_conv(_relu(high), 4 * planes, 3, f"down3{part}.0", 2), f"down3{part}.1")
        up = _bn(_conv(_relu(low), high_planes, 1, f"compression3{part}.0"), f"compression3{part}.1")
        auxiliary_tap = high + resize_like(up, high)
        low, high = _relu(low + down), _relu(auxiliary_tap)

    low = _stage(low, 8 * planes, blocks[3], 2, "layer4")
    high = _stage(high, high_planes, blocks[3], 1, "layer4_")
    down = _relu(_bn(_conv(_relu(high), 4 * planes, 3, "down4.0", 2), "down4.1"))
    down = _bn(_conv(down, 8 * planes, 3, "down4.3", 2), "down4.4")
    up = _bn(_conv(_relu(low), high_planes, 1, "compression4.0"), "compression4.1")
    low, high = low + down, high + resize_like(up, high)

    high = _bottleneck(_relu(high), high_planes, 1, "layer5_.0")
    low = _bottleneck(_relu(low), 8 * planes, 2, "layer5.0")
    merged = high + resize_like(_dappm(low, config.spp_planes, 4 * planes), high)

    outputs = {"logits": _head(merged, config.head_planes, classes, "final_layer")}
    if auxiliary:
        outputs["auxiliary"] = _head(auxiliary_tap, config.head_planes, classes, "seghead_extra")
    return keras.Model(image, outputs, name=name)


@register("ddrnet23_slim", multiple_of=32)
def ddrnet23_slim(height: int, width: int, classes: int, auxiliary: bool) -> keras.Model:
    """DDRNet-23-slim: 5,695,987 trainable parameters with 19 classes, 77.8 mIoU on Cityscapes val (authors)."""
    config = DDRNetConfig(planes=32, spp_planes=128, head_planes=64)
    return _ddrnet(config, "ddrnet23_slim", height, width, classes, auxiliary)


@register("ddrnet23", multiple_of=32)
def ddrnet23(height: int, width: int, classes: int, auxiliary: bool) -> keras.Model:
    """DDRNet-23: 20,148,947 trainable parameters with 19 classes."""
    config = DDRNetConfig(planes=64, spp_planes=128, head_planes=128)
    return _ddrnet(config, "ddrnet23", height, width, classes, auxiliary)


@register("ddrnet39", multiple_of=32)
def ddrnet39(height: int, width: int, classes: int, auxiliary: bool) -> keras.Model:
    """DDRNet-39: 32,360,275 trainable parameters with 19 classes."""
    config = DDRNetConfig(planes=64, spp_planes=128, head_planes=256, blocks=(3, 4, 6, 3), layer3_parts=("_1", "_2"))
    return _ddrnet(config, "ddrnet39", height, width, classes, auxiliary)
