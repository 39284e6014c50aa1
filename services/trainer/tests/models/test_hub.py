"""KerasHub's segmentation presets under our contract: tiny ones with random weights, saved as presets are."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.commands.cli import main
from trainer.models import create_model
from trainer.models.preprocessing import normalize

keras_hub = pytest.importorskip("keras_hub", reason="there is no KerasHub: the trainer's extra `hub` installs it")

CLASSES = 5

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


def segformer(folder):
    """For 64x64 images, as the published ones are for 512x512; squares only; roughly ImageNet's statistics."""
    encoder = keras_hub.models.MiTBackbone(
        layerwise_depths=[1, 1, 1, 1],
        num_layers=4,
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        hidden_dims=[8, 16, 40, 64],
        image_shape=(64, 64, 3),
    )
    backbone = keras_hub.models.SegFormerBackbone(image_encoder=encoder, projection_filters=16)
    converter = keras_hub.layers.SegFormerImageConverter(
        image_size=(64, 64), scale=[0.0171, 0.0175, 0.0174], offset=[-2.1, -2.0, -1.8]
    )
    preprocessor = keras_hub.models.SegFormerImageSegmenterPreprocessor(converter)
    keras_hub.models.SegFormerImageSegmenter(backbone, CLASSES, preprocessor).save_to_preset(str(folder))


def deeplab(folder):
    """Of any size; a softmax at its end; pixels from 0 to 1."""
    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 8, 8, 8],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        dilation_rates=[6, 12, 18],
        upsampling_size=8,
    )
    preprocessor = keras_hub.models.DeepLabV3ImageSegmenterPreprocessor(
        keras_hub.layers.DeepLabV3ImageConverter(scale=1 / 255)
    )
    segmenter = keras_hub.models.DeepLabV3ImageSegmenter(
        backbone, CLASSES, activation="softmax", preprocessor=preprocessor
    )
    segmenter.save_to_preset(str(folder))


@pytest.fixture(scope="module", params=[deeplab, pytest.param(segformer, marks=pytest.mark.networks)])
def make(request):
    return request.param


@pytest.fixture(scope="module")
def name(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    make(folder)
    return f"keras_hub:{folder}"


@pytest.fixture(scope="module")
def size(make):
    """A size other than the preset's."""
    return (96, 96) if make is segformer else (64, 96)


@pytest.fixture(scope="module")
def model(name, size):
    """With the preset's own head."""
    return create_model(name, *size, classes=None)


def draw_pixels(height, width):
    return np.random.default_rng(3).integers(0, 256, (2, height, width, 3)).astype(np.float32)


def logits_of(model, pixels):
    return np.asarray(model(normalize(pixels), training=False)["logits"])


def test_logits_are_those_of_the_preset(name):
    trained = keras_hub.models.ImageSegmenter.from_preset(name.removeprefix("keras_hub:"))
    pixels = draw_pixels(64, 64)
    expected = np.asarray(trained(trained.preprocessor(pixels), training=False))
    found = logits_of(create_model(name, 64, 64, classes=None), pixels)
    if np.allclose(expected.sum(-1), 1, atol=1e-5):  # its own end is a softmax
        found = np.asarray(keras.ops.softmax(found))
    assert found.dtype == np.float32
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * expected.std())


def test_different_size_has_the_same_weights(name, size, model):
    assert logits_of(model, draw_pixels(*size)).shape == (2, *size, CLASSES)
    for ours, other in zip(model.get_weights(), create_model(name, 64, 64, None).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


def test_invalid_size_names_the_padded_one(name):
    with pytest.raises(ValueError, match="multiples of 32, not 64x100: the next size is 64x128"):
        create_model(name, 64, 100, classes=None)


def test_different_number_of_classes_is_a_new_head_on_the_trained_backbone(name, size, model):
    other = create_model(name, *size, classes=3)
    assert other.output["logits"].shape[-1] == 3
    differing = [
        (before.shape, after.shape)
        for before, after in zip(model.get_weights(), other.get_weights(), strict=True)
        if before.shape != after.shape or not np.array_equal(before, after)
    ]
    assert {(before[-1], after[-1]) for before, after in differing} == {(CLASSES, 3)}


def test_saved_and_loaded_network_gives_the_same_logits(size, model, tmp_path):
    model.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras", compile=False)
    pixels = draw_pixels(*size)
    np.testing.assert_array_equal(logits_of(loaded, pixels), logits_of(model, pixels))


@pytest.mark.parametrize(("height", "width"), [(64, 256), (32, 32)])
def test_segformer_takes_only_squares(make, name, height, width):
    """At 64x256 KerasHub itself would return logits, as if the image were 128x128."""
    if make is segformer:
        with pytest.raises(ValueError, match=f"takes squares of 64x64 and more, not {height}x{width}"):
            create_model(name, height, width, classes=None)
    else:
        assert create_model(name, height, width, classes=None).output["logits"].shape[1:3] == (height, width)


def test_auxiliary_head_is_a_value_error(name):
    with pytest.raises(ValueError, match="has no auxiliary head: set auxiliary_weight to 0"):
        create_model(name, 64, 64, classes=None, auxiliary=True)


def test_unknown_preset_lists_the_presets(tmp_path):
    with pytest.raises(
        ValueError, match=r"cannot be loaded \([^:]*[^:.]\): the presets are deeplab.*, segformer_b0_ade20k_512,"
    ):
        create_model(f"keras_hub:{tmp_path}", 64, 64, classes=3)


def test_preset_is_published_with_its_own_head(name, size, model, tmp_path, capsys):
    words = ["--from", name, "--size", *map(str, size), "--classes", "wall,door,roof,lamp,sky", "--name", "preset"]
    assert main(["export", *words, "--models-root", str(tmp_path)]) == 0, capsys.readouterr().err
    pixels = draw_pixels(*size)
    mask = tf.saved_model.load(str(tmp_path / "preset/1")).signatures["serving_default"]
    found = mask(image=tf.constant(pixels, tf.uint8))["mask"].numpy()
    assert (found == logits_of(model, pixels).argmax(-1)).mean() > 0.999


@pytest.mark.parametrize("words", [[], ["--size", "64", "64", "--preprocessing", "unit"]])
def test_preprocessing_of_a_preset_cannot_be_set(name, tmp_path, capsys, words):
    assert main(["export", "--from", name, *words, "--classes", "a,b,c,d,e", "--name", "preset"]) == 1
    assert "brings its preprocessing and takes a size that you choose: give --size alone" in capsys.readouterr().err


def test_missing_keras_hub_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ValueError, match="not installed: pip install 'segstack-trainer"):
        create_model("keras_hub:segformer_b0_ade20k_512", 64, 64, classes=3)
