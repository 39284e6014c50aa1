"""What every network must do, each check once; a network is one line of NETWORKS."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.frozen import graph
from trainer.models import create_model, model_names
from trainer.models.preprocessing import normalize, upsample
from trainer.weights import load_into

CLASSES = 19
HEIGHT, WIDTH = 64, 96

# Keras has not followed NumPy 2 where it saves a variable: its __array__ takes no copy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


def network(name, parameters, stride, auxiliary_stride, marks=pytest.mark.networks):
    """Trainable parameters are of 19 classes, without and with the auxiliary head."""
    row = SimpleNamespace(name=name, parameters=parameters, stride=stride, auxiliary_stride=auxiliary_stride)
    return pytest.param(row, id=name, marks=marks)


NETWORKS = [
    network("ddrnet23_slim", (5_695_987, 5_734_342), 8, 8, marks=()),
    network("ddrnet23", (20_148_947, 20_299_366), 8, 8),
    network("ddrnet39", (32_360_275, 32_660_838), 8, 8),
    network("deeplabv3plus_efficientnetv2_b0", (6_079_411, 6_108_242), 4, 16),
    network("deeplabv3plus_efficientnetv2_s", (20_669_299, 20_727_758), 4, 16),
    network("deeplabv3plus_mobilenetv3_large", (3_052_467, 3_081_298), 4, 16),
    network("deeplabv3plus_mobilenetv3_small", (1_063_523, 1_068_978), 4, 16),
    network("unet", (7_850_195, 7_887_750), 1, 4),
]


@pytest.fixture(scope="module", params=NETWORKS)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def images(random_images):
    return random_images(HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def model(row, random_images, normalize_by):
    """The network with its auxiliary head."""
    keras.utils.set_random_seed(1)
    created = create_model(row.name, HEIGHT, WIDTH, CLASSES, auxiliary=True)
    return normalize_by(created, random_images(HEIGHT, WIDTH, count=8))


@pytest.fixture(scope="module")
def outputs(model, images):
    return answers(model, images)


def answers(model, images):
    return {name: np.asarray(output) for name, output in model(images, training=False).items()}


def in_policy(policy, create):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return create()
    finally:
        keras.config.set_dtype_policy(before)


def trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_every_registered_network_is_tested():
    assert sorted(parameter.values[0].name for parameter in NETWORKS) == model_names()


def test_logits_and_auxiliary_logits_have_their_strides(row, outputs):
    for name, stride in (("logits", row.stride), ("auxiliary", row.auxiliary_stride)):
        assert outputs[name].shape == (2, HEIGHT // stride, WIDTH // stride, CLASSES)
        assert outputs[name].dtype == np.float32
        assert np.isfinite(outputs[name]).all()
        assert outputs[name].std() > 0


@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), pytest.param(96, 224, marks=pytest.mark.networks)], ids=["32x32", "96x224"]
)
def test_multiples_of_32_are_taken_and_auxiliary_head_is_optional(row, model, height, width):
    other = create_model(row.name, height, width, CLASSES)
    assert set(other.output) == {"logits"}
    assert other.output["logits"].shape == (None, height // row.stride, width // row.stride, CLASSES)
    assert (trainable(other), trainable(model)) == row.parameters


def test_invalid_size_names_the_padded_one(row):
    with pytest.raises(ValueError, match=f"{row.name} takes .* multiples of 32, not 480x650: the next size is 480x672"):
        create_model(row.name, 480, 650, CLASSES)


def test_saved_and_loaded_network_gives_the_same_logits(model, images, outputs, tmp_path):
    model.save(tmp_path / "whole.keras")
    loaded = answers(keras.models.load_model(tmp_path / "whole.keras", compile=False), images)
    for name, output in outputs.items():
        np.testing.assert_array_equal(loaded[name], output)


def test_weights_load_into_a_new_network(row, model, images, outputs, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    other = create_model(row.name, HEIGHT, WIDTH, CLASSES, auxiliary=True)
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(answers(other, images)["logits"], outputs["logits"])


def test_weights_load_into_a_different_size_without_auxiliary_head(row, model, tmp_path):
    model.save(tmp_path / "whole.keras")
    other = create_model(row.name, 32, 32, CLASSES)
    report = load_into(other, tmp_path / "whole.keras")
    assert not report.fresh
    theirs = {variable.path: variable.numpy() for variable in model.weights}
    for variable in other.weights:
        np.testing.assert_array_equal(variable.numpy(), theirs[variable.path])


def test_frozen_and_folded_network_gives_the_same_logits(row, model):
    """In float64: in float32 rounding, which a deep network adds up, would hide a fold that is a little wrong."""
    exact = in_policy("float64", lambda: create_model(row.name, HEIGHT, WIDTH, CLASSES, auxiliary=True))
    exact.set_weights(model.get_weights())
    pixels = np.random.default_rng(2).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    frozen = graph.freeze(exact, HEIGHT, WIDTH).logits
    found = frozen(tf.constant(pixels))[0].numpy()
    expected = np.asarray(upsample(exact(normalize(pixels), training=False)["logits"], HEIGHT, WIDTH))
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * expected.std())

    constants = [node for node in frozen.graph.as_graph_def().node if node.op == "Const"]
    served = keras.Model(exact.input, exact.output["logits"])  # without the auxiliary head
    size = sum(tf.make_ndarray(node.attr["value"].tensor).size for node in constants)
    assert size < sum(variable.numpy().size for variable in served.weights) + 1000


def test_logits_do_not_depend_on_the_batch(model, images, outputs):
    """To the last bits of float32: convolutions of another batch size may sum in another order."""
    for number in range(2):
        alone = answers(model, images[number : number + 1])["logits"][0]
        np.testing.assert_allclose(alone, outputs["logits"][number], rtol=0, atol=1e-4 * outputs["logits"].std())


def test_gradient_reaches_every_variable(model, images):
    with tf.GradientTape() as tape:
        results = model(images, training=False)  # in training, stochastic depth leaves whole blocks out
        loss = sum(tf.reduce_mean(tf.square(output - 1)) for output in results.values())
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
        if "kernel" in variable.name:  # a bias in front of a batch normalisation has none
            assert np.any(gradient), variable.path


def test_fresh_layers_of_one_shape_have_different_kernels(model):
    kernels = [v.numpy() for v in model.trainable_variables if "kernel" in v.name]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.networks)])
def test_under_mixed_precision_logits_stay_float32(row, model, images, outputs, policy):
    mixed = in_policy(policy, lambda: create_model(row.name, HEIGHT, WIDTH, CLASSES, auxiliary=True))
    assert {layer.compute_dtype for layer in mixed.layers} >= {policy.removeprefix("mixed_"), "float32"}
    mixed.set_weights(model.get_weights())
    for name, output in answers(mixed, images).items():
        assert output.dtype == np.float32
        assert np.corrcoef(output.ravel(), outputs[name].ravel())[0, 1] > 0.9


def test_in_float32_folding_changes_only_rounding(random_images, normalize_by):
    """To 1e-5 of the logits' deviation on average; deeper networks add up more, so they are held to it in float64."""
    keras.utils.set_random_seed(1)
    model = normalize_by(create_model("ddrnet23_slim", HEIGHT, WIDTH, CLASSES), random_images(HEIGHT, WIDTH, count=8))
    pixels = np.random.default_rng(2).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    found = graph.freeze(model, HEIGHT, WIDTH).logits(tf.constant(pixels))[0].numpy()
    expected = np.asarray(upsample(model(normalize(pixels), training=False)["logits"], HEIGHT, WIDTH))
    assert np.abs(found - expected).mean() < 1e-5 * expected.std()
    assert np.abs(found - expected).max() < 1e-4 * expected.std()
