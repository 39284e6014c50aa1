"""Models published with today's TensorFlow run on 2.6.2, the version of TensorFlow Serving 2.6 and TF-TRT.

A small network is trained and published through the command line, and every registered network is exported untrained.
One script then runs their signatures in a TensorFlow 1 session, here and with TensorFlow 2.6.2; outputs are compared.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import ModelCard
from segstack_testing.waiting import scaled
from trainer.models import model_names

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
RECIPE = ROOT / "services/trainer/recipes/demo.yaml"
HEIGHT, WIDTH = 64, 96

# TensorFlow 2.6.2 declares no upper bounds; newer versions of these packages break it.
TENSORFLOW_2_6 = [
    "tensorflow-cpu==2.6.2", "keras==2.6.0", "tensorflow-estimator==2.6.0", "protobuf<3.21", "numpy<1.24",
]  # fmt: skip

RUN_SIGNATURES = """
import pathlib, sys
import numpy as np
import tensorflow as tf

models, inputs, answers = map(pathlib.Path, sys.argv[1:])
files = [path.read_bytes() for path in sorted(inputs.glob("encoded_*"))]
feeds = {
    "image": np.load(str(inputs / "images.npy")),
    "image_bytes": np.array(files, object),
    "query": np.array([b"", b"?"], object),
}
found = {"tensorflow": tf.__version__}
for model in sorted(models.glob("*/1")):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(model)).signature_def
        for name in ["serving_default", "scores", "probabilities", "encoded", "describe"]:
            ((alias, info),) = signatures[name].inputs.items()
            outputs = {
                "/".join([model.parent.name, name, output]): tensor.name
                for output, tensor in signatures[name].outputs.items()
            }
            found.update(session.run(outputs, {info.name: feeds[alias]}))
    card = model.parent.name + "/describe/model_card"
    found[card] = found[card].astype("S")
np.savez(str(answers), **found)
"""

# Batch normalisation takes its statistics from the images that follow. With the initial ones the activations of the
# deepest network explode (logits of 1e6), and TensorFlow 2.21 alone, with and without oneDNN, then gives other masks.
EXPORT_NETWORKS = """
import pathlib, sys
import keras
import numpy as np
from contract import ClassInfo, ModelCard
from trainer.frozen import graph
from trainer.models import create_model, model_names

models, height, width = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)
images = np.load(sys.argv[4]).astype("float32")
classes = tuple(ClassInfo(number, str(number), (number, 0, 0)) for number in range(5))
for name in model_names():
    network = create_model(name, height, width, len(classes), auxiliary=True)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(images, training=True)
    module = graph.freeze(network, height, width)
    functions = graph.signatures(module, ModelCard(name, name, height, width, classes))
    graph.save(module, functions, str(models / name / "1"))
"""

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(scaled(1200))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("other_tensorflow")


@pytest.fixture(scope="module")
def old_python(find_python, run_apart, folder):
    """The interpreter of an environment that holds TensorFlow 2.6.2."""
    python = find_python("3.9") or find_python("3.8")
    if python is None:
        pytest.skip(
            "there is no Python 3.9 or 3.8, which TensorFlow 2.6.2 needs: install one with pyenv, or put it on PATH"
        )
    run_apart(UV, "venv", "--quiet", "--python", python, folder / "environment")
    run_apart(UV, "pip", "install", "--quiet", "--python", folder / "environment", *TENSORFLOW_2_6)
    return folder / "environment/bin/python"


@pytest.fixture(scope="module")
def published(run_apart, folder):
    """The folder of a version made from drawn images, through every command."""
    trainer = [sys.executable, "-m", "trainer"]
    # Ten epochs: a hardly trained network has many pixels where rounding decides between two classes.
    options = [f"data.input_height={HEIGHT}", f"data.input_width={WIDTH}", "epochs=10"]
    overrides = [word for option in options for word in ("--set", option)]
    size = ["--size", HEIGHT, WIDTH]
    run_apart(*trainer, "data", "synthesize", "--output", folder / "cvat", "--images", 200, *size)
    run_apart(*trainer, "data", "import-cvat", folder / "cvat", "--output", folder / "set")
    run_apart(*trainer, "train", "--config", RECIPE, "--data", folder / "set", "--run", folder / "run", *overrides)
    run_apart(*trainer, "export", "--run", folder / "run", "--name", "small", "--models-root", folder / "models_repo")
    return folder / "models_repo/small/1"


@pytest.fixture(scope="module")
def models(run_apart, published, inputs, folder):
    """That version and every registered network, at one input size."""
    models = published.parents[1]
    run_apart(sys.executable, "-c", EXPORT_NETWORKS, models, HEIGHT, WIDTH, inputs / "images.npy")
    return models


@pytest.fixture(scope="module")
def inputs(published, folder):
    """Drawn images and noise as arrays, and as JPEG and PNG at the model's size and at other sizes."""
    inputs = folder / "inputs"
    inputs.mkdir()
    drawn = [cv2.imread(str(path)) for path in sorted((folder / "cvat/JPEGImages").iterdir())[:6]]
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(2)]
    np.save(inputs / "images.npy", np.stack([image[..., ::-1] for image in [*drawn, *noise]]))
    large = [cv2.resize(image, (331, 247), interpolation=cv2.INTER_CUBIC) for image in drawn[:2]]
    for number, image in enumerate([*drawn, *noise, *large]):
        for suffix in ("jpg", "png"):
            cv2.imwrite(str(inputs / f"encoded_{number}.{suffix}"), image)
    return inputs


@pytest.fixture(scope="module")
def ours(run_apart, models, inputs, folder):
    return answers_of(run_apart, sys.executable, models, inputs, folder / "ours.npz")


@pytest.fixture(scope="module")
def theirs(run_apart, old_python, models, inputs, folder):
    return answers_of(run_apart, old_python, models, inputs, folder / "theirs.npz")


def answers_of(run, python, models, inputs, answers):
    run(python, "-c", RUN_SIGNATURES, models, inputs, answers)
    with np.load(answers) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("model", ["small", *model_names()])
def test_all_signatures_run_in_tensorflow_2_6(theirs, ours, model):
    assert str(theirs["tensorflow"]) == "2.6.2"
    assert str(ours["tensorflow"]) != "2.6.2"
    assert theirs.keys() == ours.keys()
    assert {name.split("/")[1] for name in theirs if name.startswith(f"{model}/")} == {
        "serving_default", "scores", "probabilities", "encoded", "describe",
    }  # fmt: skip


@pytest.mark.parametrize("output", ["small/serving_default/mask", "small/scores/mask", "small/encoded/mask"])
def test_masks_are_equal(theirs, ours, output):
    assert len(np.unique(ours[output])) > 1  # a mask of one class would prove nothing
    np.testing.assert_array_equal(theirs[output], ours[output])


def test_probabilities_are_equal_to_float32_accuracy(theirs, ours):
    """TensorFlow 2.21 itself differs by 2e-5 with and without oneDNN, which changes the order of summation."""
    name = "small/probabilities/probabilities"
    np.testing.assert_allclose(theirs[name], ours[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", model_names())
def test_networks_give_equal_results(theirs, ours, network):
    """On average; in the deepest network single pixels differed by 2e-3."""
    name = f"{network}/probabilities/probabilities"
    assert np.abs(theirs[name] - ours[name]).mean() < 1e-5
    assert (theirs[f"{network}/serving_default/mask"] == ours[f"{network}/serving_default/mask"]).mean() > 0.999


@pytest.mark.parametrize("output", ["small/scores/confidence", "small/scores/entropy"])
def test_scores_differ_by_at_most_one(theirs, ours, output):
    difference = np.abs(theirs[output].astype(int) - ours[output])
    assert difference.max() <= 1
    assert (difference != 0).mean() < 1e-3  # where the last bit of a float32 decides how 0.5 is rounded


def test_the_card_is_the_same(theirs, ours, published):
    card = (published / "assets.extra/model_card.json").read_bytes()
    assert list(theirs["small/describe/model_card"]) == list(ours["small/describe/model_card"]) == [card] * 2
    assert ModelCard.from_json(card).name == "small"
