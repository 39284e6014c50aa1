"""Backbones are keras.applications' own, for any input and any output stride."""

import keras
import numpy as np
import pytest

from trainer.models.backbones import BACKBONES
from trainer.models.preprocessing import normalize

SIZE = 64

FAST = {"mobilenetv3_small"}
NAMES = [pytest.param(name, marks=() if name in FAST else pytest.mark.networks) for name in BACKBONES]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


@pytest.fixture(scope="module", params=NAMES)
def backbone(request):
    return BACKBONES[request.param]


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(2).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def original(backbone, pixels, normalize_by):
    """keras.applications' network with its own preprocessing: pixels in.

    Its squeeze-and-excitation gives the same output for every input: only it pools over the whole image, of which a
    network at another stride sees more positions.
    """
    keras.utils.set_random_seed(1)
    model = normalize_by(backbone.build(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)), pixels)
    for layer in model.layers:
        if "se_expand" in layer.name or "squeeze_excite_conv_1" in layer.name:
            layer.kernel.assign(keras.ops.zeros_like(layer.kernel))
    return model


@pytest.fixture(scope="module")
def ours(backbone, original, tmp_path_factory):
    """Ours with the original's weights, as they come from a file."""
    file = tmp_path_factory.mktemp("weights") / "original.weights.h5"
    original.save_weights(file)
    image, features = backbone.features(SIZE, SIZE, str(file))
    return keras.Model(image, features)


def features_of(model, name, pixels):
    return np.asarray(keras.Model(model.input, model.get_layer(name).output)(pixels))


def assert_equal(found, expected):
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())


def test_normalised_images_are_converted_to_its_preprocessing(backbone, original, ours, pixels):
    low, _middle, _high = ours(normalize(pixels))
    assert low.shape[1:3] == (SIZE // 4, SIZE // 4)
    assert_equal(np.asarray(low), features_of(original, backbone.low, pixels))


def test_features_at_stride_16_contain_those_at_stride_32(backbone, original, ours, pixels):
    """A strided convolution at an even size looks at every second position from the second on."""
    _low, _middle, high = ours(normalize(pixels))
    assert high.shape[1:3] == (SIZE // 16, SIZE // 16)
    assert_equal(np.asarray(high)[:, 1::2, 1::2], features_of(original, backbone.high, pixels))


class TestWeightsThatAreNotToBeHad:
    def test_failed_download(self, monkeypatch):
        def fail(*_args, **_kwargs):
            raise Exception("URL fetch failure on https://…: Name or service not known")

        monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
        with pytest.raises(ValueError, match=r"^MobileNetV3Small: ImageNet's .* \(URL fetch .*pretrained=FILE takes"):
            BACKBONES["mobilenetv3_small"].features(SIZE, SIZE, "imagenet")

    @pytest.mark.parametrize("name", ["nowhere.h5", "broken.h5", "checkpoint.pth"])
    def test_file_without_weights(self, tmp_path, name):
        (tmp_path / "broken.h5").write_bytes(b"no weights")
        (tmp_path / "checkpoint.pth").write_bytes(b"no weights")
        with pytest.raises(
            ValueError, match=rf"{name} cannot be read \(.*\): expected a file of this backbone's weights"
        ):
            BACKBONES["mobilenetv3_small"].features(SIZE, SIZE, str(tmp_path / name))
