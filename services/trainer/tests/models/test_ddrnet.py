"""The DDRNets are the authors' networks: their parameters, their names and shapes, and of 23-slim their numbers.

The logits in ``fixtures/ddrnet23_slim.npz`` were made when the port had just reproduced those of the authors' PyTorch
code at 256x512, 480x640 and 512x1024: every argmax the same, and no more than 2.5e-4 between logits whose standard
deviation is 7 to 11. Weights and image of the fixture are drawn layer by layer from NumPy's legacy generator, whose
stream never changes, so that they need no file.
"""

import zlib
from pathlib import Path

import keras
import numpy as np
import pytest

from trainer.models import create_model, ddrnet

FIXTURE = Path(__file__).parents[1] / "fixtures" / "ddrnet23_slim.npz"

# The authors' state dict for Cityscapes, each entry's shape in PyTorch's order OIHW.
STATE_DICT = """
conv1.0.weight 32x3x3x3 · conv1.0.bias 32 · conv1.1 (BN) 32 · conv1.3.weight 32x32x3x3 · conv1.3.bias 32
conv1.4 (BN) 32 · layer1.0.conv1.weight 32x32x3x3 · layer1.0.bn1 (BN) 32 · layer1.0.conv2.weight 32x32x3x3
layer1.0.bn2 (BN) 32 · layer1.1.conv1.weight 32x32x3x3 · layer1.1.bn1 (BN) 32 · layer1.1.conv2.weight 32x32x3x3
layer1.1.bn2 (BN) 32 · layer2.0.conv1.weight 64x32x3x3 · layer2.0.bn1 (BN) 64 · layer2.0.conv2.weight 64x64x3x3
layer2.0.bn2 (BN) 64 · layer2.0.downsample.0.weight 64x32x1x1 · layer2.0.downsample.1 (BN) 64
layer2.1.conv1.weight 64x64x3x3 · layer2.1.bn1 (BN) 64 · layer2.1.conv2.weight 64x64x3x3 · layer2.1.bn2 (BN) 64
layer3.0.conv1.weight 128x64x3x3 · layer3.0.bn1 (BN) 128 · layer3.0.conv2.weight 128x128x3x3 · layer3.0.bn2 (BN) 128
layer3.0.downsample.0.weight 128x64x1x1 · layer3.0.downsample.1 (BN) 128 · layer3.1.conv1.weight 128x128x3x3
layer3.1.bn1 (BN) 128 · layer3.1.conv2.weight 128x128x3x3 · layer3.1.bn2 (BN) 128 · layer4.0.conv1.weight 256x128x3x3
layer4.0.bn1 (BN) 256 · layer4.0.conv2.weight 256x256x3x3 · layer4.0.bn2 (BN) 256
layer4.0.downsample.0.weight 256x128x1x1 · layer4.0.downsample.1 (BN) 256 · layer4.1.conv1.weight 256x256x3x3
layer4.1.bn1 (BN) 256 · layer4.1.conv2.weight 256x256x3x3 · layer4.1.bn2 (BN) 256 · compression3.0.weight 64x128x1x1
compression3.1 (BN) 64 · compression4.0.weight 64x256x1x1 · compression4.1 (BN) 64 · down3.0.weight 128x64x3x3
down3.1 (BN) 128 · down4.0.weight 128x64x3x3 · down4.1 (BN) 128 · down4.3.weight 256x128x3x3 · down4.4 (BN) 256
layer3_.0.conv1.weight 64x64x3x3 · layer3_.0.bn1 (BN) 64 · layer3_.0.conv2.weight 64x64x3x3 · layer3_.0.bn2 (BN) 64
layer3_.1.conv1.weight 64x64x3x3 · layer3_.1.bn1 (BN) 64 · layer3_.1.conv2.weight 64x64x3x3 · layer3_.1.bn2 (BN) 64
layer4_.0.conv1.weight 64x64x3x3 · layer4_.0.bn1 (BN) 64 · layer4_.0.conv2.weight 64x64x3x3 · layer4_.0.bn2 (BN) 64
layer4_.1.conv1.weight 64x64x3x3 · layer4_.1.bn1 (BN) 64 · layer4_.1.conv2.weight 64x64x3x3 · layer4_.1.bn2 (BN) 64
layer5_.0.conv1.weight 64x64x1x1 · layer5_.0.bn1 (BN) 64 · layer5_.0.conv2.weight 64x64x3x3 · layer5_.0.bn2 (BN) 64
layer5_.0.conv3.weight 128x64x1x1 · layer5_.0.bn3 (BN) 128 · layer5_.0.downsample.0.weight 128x64x1x1
layer5_.0.downsample.1 (BN) 128 · layer5.0.conv1.weight 256x256x1x1 · layer5.0.bn1 (BN) 256
layer5.0.conv2.weight 256x256x3x3 · layer5.0.bn2 (BN) 256 · layer5.0.conv3.weight 512x256x1x1 · layer5.0.bn3 (BN) 512
layer5.0.downsample.0.weight 512x256x1x1 · layer5.0.downsample.1 (BN) 512 · spp.scale1.1 (BN) 512
spp.scale1.3.weight 128x512x1x1 · spp.scale2.1 (BN) 512 · spp.scale2.3.weight 128x512x1x1 · spp.scale3.1 (BN) 512
spp.scale3.3.weight 128x512x1x1 · spp.scale4.1 (BN) 512 · spp.scale4.3.weight 128x512x1x1 · spp.scale0.0 (BN) 512
spp.scale0.2.weight 128x512x1x1 · spp.process1.0 (BN) 128 · spp.process1.2.weight 128x128x3x3
spp.process2.0 (BN) 128 · spp.process2.2.weight 128x128x3x3 · spp.process3.0 (BN) 128
spp.process3.2.weight 128x128x3x3 · spp.process4.0 (BN) 128 · spp.process4.2.weight 128x128x3x3
spp.compression.0 (BN) 640 · spp.compression.2.weight 128x640x1x1 · spp.shortcut.0 (BN) 512
spp.shortcut.2.weight 128x512x1x1 · seghead_extra.bn1 (BN) 64 · seghead_extra.conv1.weight 64x64x3x3
seghead_extra.bn2 (BN) 64 · seghead_extra.conv2.weight 19x64x1x1 · seghead_extra.conv2.bias 19
final_layer.bn1 (BN) 128 · final_layer.conv1.weight 64x128x3x3 · final_layer.bn2 (BN) 64
final_layer.conv2.weight 19x64x1x1 · final_layer.conv2.bias 19
"""

# Two implementations of the same convolutions differ by less than 1e-4 here, the slightest of BREAKAGES by 7e-2.
TOLERANCE = 2e-3


def state_dict_entries():
    """Name and shape: conv1.0.weight (32, 3, 3, 3), conv1.1 (BN) (32,), …"""
    entries = (entry.strip().rsplit(" ", 1) for entry in STATE_DICT.replace("\n", " · ").split(" · ") if entry.strip())
    return {name: tuple(map(int, shape.split("x"))) for name, shape in entries}


def entries_of(model):
    """What the model's layers would be called in that state dict."""
    entries = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width, inputs, outputs = layer.kernel.shape
            entries[f"{layer.name}.weight"] = (outputs, inputs, height, width)
            if layer.use_bias:
                entries[f"{layer.name}.bias"] = (outputs,)
        elif isinstance(layer, keras.layers.BatchNormalization):
            entries[f"{layer.name} (BN)"] = tuple(layer.gamma.shape)
        else:
            assert not layer.weights, layer.name
    return entries


class TestArchitecture:
    def test_layers_are_those_of_the_authors_state_dict(self):
        assert entries_of(create_model("ddrnet23_slim", 64, 64, classes=19, auxiliary=True)) == state_dict_entries()

    def test_the_layout_written_down_for_the_family_has_the_authors_names_and_numbers(self, ddrnet_layout):
        assert ddrnet_layout("ddrnet23_slim") == state_dict_entries()
        parameters = {
            name: sum(np.prod(shape) * (2 if "(BN)" in entry else 1) for entry, shape in ddrnet_layout(name).items())
            for name in ("ddrnet23", "ddrnet39")
        }
        assert parameters == {"ddrnet23": 20_299_366, "ddrnet39": 32_660_838}

    @pytest.mark.networks
    @pytest.mark.parametrize("name", ["ddrnet23", "ddrnet39"])
    def test_layers_of_the_larger_networks_are_too(self, name, ddrnet_layout):
        assert entries_of(create_model(name, 64, 64, classes=19, auxiliary=True)) == ddrnet_layout(name)

    def test_batch_normalisation_is_pytorch_s(self):
        model = create_model("ddrnet23_slim", 64, 64, classes=19, auxiliary=True)
        settings = {(b.momentum, b.epsilon) for b in model.layers if isinstance(b, keras.layers.BatchNormalization)}
        assert settings == {(0.9, 1e-5)}


def random_of(name):
    return np.random.RandomState(zlib.crc32(name.encode()))


def set_weights(model):
    """Weights by the layer's name: He-sized kernels, and statistics that leave no BatchNorm an identity."""
    for layer in model.layers:
        random = random_of(layer.name)
        if isinstance(layer, keras.layers.Conv2D):
            kernel = random.standard_normal(layer.kernel.shape) * np.sqrt(1 / np.prod(layer.kernel.shape[:3]))
            layer.set_weights([kernel, random.standard_normal(layer.filters)][: len(layer.weights)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape
            gamma, variance = random.uniform(0.5, 1.5, (2, *width))
            beta, mean = random.standard_normal((2, *width)) * 0.3
            layer.set_weights([gamma, beta, mean, variance])


def outputs_with_known_weights():
    model = create_model("ddrnet23_slim", 64, 128, classes=19, auxiliary=True)
    set_weights(model)
    image = random_of("image").standard_normal((1, 64, 128, 3)).astype(np.float32)
    return {name: np.asarray(output) for name, output in model(image, training=False).items()}


def as_keras_pads(padding, zero_padding=keras.layers.ZeroPadding2D):
    """SAME at stride 2 puts more of an even size's padding below and right."""
    before = padding - 1
    return zero_padding(((before, 2 * padding - before), (before, 2 * padding - before)))


def relu_after_every_block(block):
    return lambda *args: keras.layers.ReLU()(block(*args))


BREAKAGES = {
    "padding as Keras's SAME": ("layers.ZeroPadding2D", as_keras_pads),
    "a ReLU in shortcuts": ("_shortcut", relu_after_every_block(ddrnet._shortcut)),
    "a ReLU at the end of stages": ("_stage", relu_after_every_block(ddrnet._stage)),
    "no ReLU": ("_relu", lambda x: x),
    "another epsilon": ("_bn", lambda x, name: keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)),
    "nearest neighbour": ("resize_like", lambda x, like: keras.ops.image.resize(x, like.shape[1:3], "nearest")),
    "a pool too small": ("_DAPPM_POOLS", {"scale1": (3, 2), "scale2": (9, 4), "scale3": (17, 8)}),
}


class TestNumbers:
    @pytest.fixture
    def expected(self):
        with np.load(FIXTURE) as arrays:
            return dict(arrays)

    @pytest.mark.parametrize("output", ["logits", "auxiliary"])
    def test_logits_are_the_authors(self, expected, output):
        assert expected[output].std() > 1
        np.testing.assert_allclose(outputs_with_known_weights()[output], expected[output], rtol=0, atol=TOLERANCE)

    @pytest.mark.networks
    @pytest.mark.parametrize(("what", "instead"), BREAKAGES.values(), ids=BREAKAGES)
    def test_smallest_change_is_detected(self, expected, monkeypatch, what, instead):
        monkeypatch.setattr(f"trainer.models.ddrnet.{what}", instead)
        difference = np.abs(outputs_with_known_weights()["logits"] - expected["logits"]).max()
        assert difference > 10 * TOLERANCE
