"""The networks on another of Keras's backends: the same weights and images give the same logits, without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from trainer.models import create_model, model_names

SERVICES = Path(__file__).parents[3]
LOCK = Path(__file__).parent / "backends/requirements.lock"
UV = Path(sys.executable).with_name("uv")
HEIGHT, WIDTH, CLASSES = 64, 96, 7

# Both sum in float32, in another order: observed 3e-5 of the logits' deviation in JAX, 6e-5 in PyTorch. Another
# padding, resize or epsilon is seen in the first digits.
TOLERANCE = 1e-3

ANSWER = """
import pathlib, sys
import numpy as np
from trainer.models import create_model

folder, height, width, classes = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])
images = np.load(folder / "images.npy")
for weights in sorted(folder.glob("*.weights.h5")):
    name = weights.name.removesuffix(".weights.h5")
    model = create_model(name, height, width, classes)
    model.load_weights(weights)
    np.save(folder / f"{name}.answer.npy", model.predict_on_batch(images)["logits"])
assert "tensorflow" not in sys.modules
"""

pytestmark = [
    pytest.mark.networks,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras"),
]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment with JAX, and without TensorFlow."""
    environment = tmp_path_factory.mktemp("backend") / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    run(UV, "pip", "install", "--quiet", "--python", environment, "--no-deps", "--require-hashes", "-r", LOCK)
    return environment / "bin/python"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, random_images, normalize_by):
    """Images, and for every network its weights and its logits on this backend."""
    folder = tmp_path_factory.mktemp("networks")
    images = random_images(HEIGHT, WIDTH)
    np.save(folder / "images.npy", images)
    for name in model_names():
        keras.utils.set_random_seed(1)
        model = normalize_by(create_model(name, HEIGHT, WIDTH, CLASSES), random_images(HEIGHT, WIDTH, count=8))
        model.save_weights(folder / f"{name}.weights.h5")
        np.save(folder / f"{name}.npy", np.asarray(model(images, training=False)["logits"]))
    return folder


@pytest.fixture(scope="module")
def answered(python, folder):
    """The same folder, with the other backend's answers."""
    path = os.pathsep.join(str(SERVICES / service) for service in ("trainer", "contract"))
    run(python, "-c", ANSWER, folder, HEIGHT, WIDTH, CLASSES, KERAS_BACKEND="jax", PYTHONPATH=path, JAX_PLATFORMS="cpu")
    return folder


def run(*command, **settings):
    words = [str(word) for word in command]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **settings}
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(words)}\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize("name", model_names())
def test_jax_gives_the_same_logits(answered, name):
    expected, found = np.load(answered / f"{name}.npy"), np.load(answered / f"{name}.answer.npy")
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * expected.std())
