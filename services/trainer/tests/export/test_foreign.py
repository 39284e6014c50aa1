"""``export --from``: a third-party network becomes a contract model, and what does not fit is one sentence."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from contract import ClassInfo
from trainer.commands.cli import main
from trainer.errors import UserError
from trainer.export.adapt import PREPROCESSING, NetworkSpec, adapt
from trainer.export.foreign import of_keras, open_network
from trainer.models import create_model

SIDE = 32
TWO, THREE = (tuple(ClassInfo(i, name, (i, i, i)) for i, name in enumerate(names)) for names in ("ab", "abc"))
# Keras, where it saves a variable.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network(channels=3, activation=None, size=(SIDE, SIDE), dtype="float32", stride=4, batch=None):
    image = keras.Input((*size, 3), dtype=dtype, batch_size=batch, name="input_1")
    x = layers.Rescaling(1 / 127.5, -1)(image) if dtype == "uint8" else image
    logits = layers.Conv2D(channels, 5, stride, "same", activation=activation, bias_initializer="glorot_normal")(x)
    model = keras.Model(image, logits, name="theirs")
    random = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(random.standard_normal(variable.shape) / 5)
    return model


@pytest.fixture
def fit(tmp_path):
    """``fit(model, classes, …)``: the adapted network, from memory."""

    def run(model, classes=THREE, preprocessing=PREPROCESSING["unit"], **spec):
        return adapt(
            of_keras(model, tmp_path / "theirs.keras"), NetworkSpec(classes, preprocessing=preprocessing, **spec)
        )

    return run


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(1).standard_normal((2, SIDE, SIDE, 3)), tf.float32)


def probabilities(adapted, images):
    return tf.nn.softmax(adapted.network(images)["logits"]).numpy()


class TestPublished:
    @pytest.fixture(params=["theirs.keras", "export_path/1"])
    def path(self, request, tmp_path):
        """As the original project exports: float32 ``input_1``, preprocessed by the caller, to float32 logits."""
        model = network()
        path = tmp_path / request.param
        if path.suffix:
            model.save(path)
        else:
            path.parent.mkdir()
            model.export(path, verbose=False)
        return path

    def test_its_mask_is_the_network_s_own_argmax(self, path, tmp_path, capsys):
        words = f"export --from {path} --classes a,b,c --name theirs --preprocessing unit --models-root {tmp_path}/repo"
        assert main(words.split()) == 0, capsys.readouterr().err
        folder = tmp_path / "repo/theirs/1"
        assert capsys.readouterr().out == f"published: {folder}\n"
        image = np.random.default_rng(2).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
        served = tf.saved_model.load(str(folder)).signatures["serving_default"]
        low = network()(image.astype(np.float32) / 255)
        expected = tf.argmax(tf.image.resize(low, (SIDE, SIDE)), -1)
        np.testing.assert_array_equal(served(image=tf.constant(image))["mask"], expected)
        card = json.loads((folder / "assets.extra/model_card.json").read_text())
        assert [c["name"] for c in card["classes"]] == ["a", "b", "c"]
        assert card["preprocessing"] == {"scale": 1 / 255, "mean": [0, 0, 0], "std": [1, 1, 1]}
        assert card["parameters"] == 5 * 5 * 3 * 3 + 3
        assert card["metrics"] is None


class TestAdapted:
    def test_one_logit_becomes_two_classes(self, fit, images):
        model = network(1, stride=1)
        p = probabilities(fit(model, TWO), images)
        np.testing.assert_allclose(p[..., 1], tf.sigmoid(model(images))[..., 0], atol=1e-6)

    def test_a_sigmoid_is_undone(self, fit, images):
        model = network(1, "sigmoid", stride=1)
        p = probabilities(fit(model, TWO, activation="sigmoid"), images)
        np.testing.assert_allclose(p[..., 1], model(images)[..., 0], atol=1e-6)

    def test_a_softmax_is_undone(self, fit, images):
        model = network(3, "softmax", stride=1)
        np.testing.assert_allclose(
            probabilities(fit(model, activation="softmax"), images), model(images).numpy(), atol=1e-6
        )

    def test_colours_in_the_order_bgr(self, fit, images):
        model = network()
        np.testing.assert_array_equal(fit(model, bgr=True).network(images)["logits"], model(images[..., ::-1]))

    def test_channels_first(self, fit, images):
        image = keras.Input((3, SIDE, SIDE))
        model = keras.Model(image, layers.Permute((3, 1, 2))((inner := network())(layers.Permute((2, 3, 1))(image))))
        np.testing.assert_array_equal(fit(model).network(images)["logits"], inner(images))

    def test_network_of_any_size_gets_the_given_one(self, fit):
        adapted = fit(network(size=(None, None)), size=(64, 96))
        assert (adapted.height, adapted.width) == (64, 96)

    def test_uint8_network_gets_pixels_as_they_are(self, fit):
        assert fit(network(dtype="uint8"), preprocessing=None).preprocessing == PREPROCESSING["none"]

    def test_only_our_networks_have_a_default_preprocessing(self, fit):
        ours = create_model("unet", SIDE, SIDE, classes=3, auxiliary=True)
        assert fit(ours, preprocessing=None).preprocessing == PREPROCESSING["imagenet"]
        theirs = network()
        with pytest.raises(UserError, match=r"unet\.keras does not say how its pixels are scaled"):
            adapt(
                of_keras(keras.Model(theirs.input, theirs.output, name="unet"), Path("unet.keras")), NetworkSpec(THREE)
            )

    def test_default_of_several_outputs_is_the_logits(self, fit, images):
        model = network()
        both = keras.Model(model.input, {"logits": model.output, "auxiliary": layers.Conv2D(3, 1)(model.output)})
        np.testing.assert_array_equal(fit(both).network(images)["logits"], model(images))


class TestUserErrors:
    @pytest.mark.parametrize(
        ("options", "spec", "message"),
        [
            ({}, {"classes": TWO}, r"gives 3 channels .* but 2 classes are named"),
            ({}, {"size": (64, 32)}, "its height is fixed at 32, so --size cannot set 64"),
            ({"size": (None, 32)}, {}, "any height: name the size"),
            ({"size": (None, None)}, {"size": (0, 32)}, "--size 0 32: expected a height and a width of 1"),
            ({"batch": 1}, {}, "a variable batch dimension"),
            ({}, {"preprocessing": None}, r"does not say how its pixels are scaled: .*imagenet\|unit\|symmetric\|none"),
            ({"dtype": "uint8"}, {}, r"takes uint8 pixels"),
            ({"activation": "softmax"}, {}, "are probabilities and not logits: add --activation softmax"),
            ({"channels": 1, "activation": "sigmoid"}, {"classes": TWO}, "add --activation sigmoid"),
            ({}, {"activation": "softmax"}, "do not sum to 1"),
            ({}, {"activation": "sigmoid"}, "are not within 0 to 1"),
        ],
    )
    def test_network_that_does_not_fit(self, fit, options, spec, message):
        with pytest.raises(UserError, match=message):
            fit(network(**options), **spec)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("--run run --size 64 64 --channels bgr", "--size, --channels: only --from takes these"),
            ("--from a.keras --classes a,b --split test", "name the data set, as in"),
            ("--from a.keras --classes a,b --scale 0", "--scale 0.0: expected a number above 0"),
            ("--from a.keras --classes a,b --mean nan 0 0", "--mean nan 0.0 0.0: expected three numbers that"),
            ("--from a.keras", "--from a.keras needs --classes"),
        ],
    )
    def test_arguments_without_effect(self, capsys, words, message):
        assert main(["export", "--name", "theirs", *words.split()]) == 1
        assert message in capsys.readouterr().err

    def test_class_ids_as_output(self, fit):
        model = network()
        with pytest.raises(UserError, match=r"gives \[2, 8, 8\] for two images.*an argmax.*are not enough"):
            fit(keras.Model(model.input, keras.ops.argmax(model.output, -1)))

    def test_input_that_is_no_image(self, fit):
        vector = keras.Input((7,))
        with pytest.raises(UserError, match=r"takes float32 \[None, 7\]: expected images"):
            fit(keras.Model(vector, layers.Dense(3)(vector)))

    def test_input_of_unknown_rank(self, tmp_path):
        module = tf.Module()
        module.call = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec(None, tf.float32, "x")])
        tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call})
        with pytest.raises(UserError, match="takes float32 of unknown rank: expected images"):
            adapt(open_network(tmp_path), NetworkSpec(THREE, preprocessing=PREPROCESSING["unit"]))

    def test_missing_output(self, tmp_path):
        with pytest.raises(UserError, match="has no output 'scores': choose with --network-output one of "):
            of_keras(network(), tmp_path, "scores")

    def test_pytorch_checkpoint_names_its_command(self, tmp_path):
        with pytest.raises(UserError, match=r"`segstack import-weights \S+/best_val.pth --network \S+ --publish NAME`"):
            open_network(tmp_path / "best_val.pth")

    @pytest.mark.parametrize("name", ["nothing", "broken.keras", "broken"])
    def test_file_that_is_no_network(self, tmp_path, name):
        (tmp_path / "broken.keras").write_bytes(b"no zip")
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken/saved_model.pb").write_bytes(b"no graph")
        with pytest.raises(UserError, match=r"is not a network: expected a .keras file|cannot be loaded"):
            open_network(tmp_path / name)
