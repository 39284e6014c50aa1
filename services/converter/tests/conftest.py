"""A published model with a tiny network, and stand-ins for what needs a GPU."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract import ClassInfo, Metrics, ModelCard, publish

HEIGHT, WIDTH, CLASSES = 32, 48, 3
SERVICE = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def card() -> ModelCard:
    return ModelCard(
        name="tiny",
        architecture="one_convolution",
        input_height=HEIGHT,
        input_width=WIDTH,
        classes=tuple(ClassInfo(i, f"class {i}", (i, i, i)) for i in range(CLASSES)),
        metrics=Metrics(miou=0.9, per_class_iou={}, split="validation", images=10),
        parameters=81,
        weights_sha256="f" * 64,
    )


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory, card: ModelCard) -> Path:
    """A repository with ``tiny``, version 1."""
    root = tmp_path_factory.mktemp("models_repo")
    publish(root, card, write=lambda folder: _write(folder, card), check=lambda folder: None)
    return root


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six JPEG and PNG images, not of the model's size."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("photographs")
    for number in range(6):
        # Patches of one colour, which real images have and noise has not.
        patches = np.random.default_rng(number).integers(0, 256, (8, 10, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        suffix, encode = (".jpg", tf.io.encode_jpeg) if number % 2 else (".PNG", tf.io.encode_png)
        (folder / f"photo{number}{suffix}").write_bytes(encode(patches).numpy())
    return folder


@pytest.fixture(scope="session")
def build_with_tensorflow() -> Any:
    """Replaces ``conversion.with_tensorrt`` without a GPU: TensorFlow runs the rewritten graph.

    ``build_with_tensorflow(change)`` applies ``change`` to each output, by alias, as an engine might.
    """
    import tensorflow as tf

    from converter.targets.tf_trt.conversion import Converted
    from converter.targets.tf_trt.engines import EngineSummary

    def make(change: Any = lambda alias, value: value) -> Any:
        def build(options: Any, interface: Any, rewritten: Path, scratch: Path, calibration: Any) -> Converted:
            function = tf.saved_model.load(str(rewritten)).signatures["serving_default"]
            summary = EngineSummary([{"name": "TRTEngineOp_0_0", "nodes": 7}], {"Cast": 2})
            return Converted(
                lambda images: {alias: change(alias, value) for alias, value in function(images).items()}, {}, summary
            )

        return build

    return make


@pytest.fixture(scope="session")
def save_third_party() -> Any:
    """``save_third_party(folder)``: a SavedModel without a card: float32 of any size in, logits of three classes out.

    It has variables, which its signature ``features`` uses as well, and a lookup table, which ``greet`` uses.
    """
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(np.random.default_rng(5).normal(size=(3, 3, 3, CLASSES)).astype(np.float32))
    module.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["en"], ["hello "]), "salve ")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
    def logits(input_1: Any) -> Any:
        features = tf.nn.conv2d(input_1, module.kernel, strides=2, padding="SAME")
        return {"output": tf.image.resize(features, tf.shape(input_1)[1:3])}

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 48, 3], tf.float32, name="input_1")])
    def features(input_1: Any) -> Any:
        return {"features": tf.nn.conv2d(input_1, module.kernel, strides=2, padding="SAME")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="language")])
    def greet(language: Any) -> Any:
        return {"greeting": module.table.lookup(language)}

    def save(folder: Path) -> Path:
        signatures = {"serving_default": logits, "features": features, "greet": greet}
        tf.saved_model.save(module, str(folder), signatures=signatures)
        return folder

    return save


def _write(folder: Path, card: ModelCard) -> None:
    import tensorflow as tf

    kernel = np.random.default_rng(7).normal(size=(3, 3, 3, CLASSES)).astype(np.float32)
    model_card = card.to_json()
    image_spec = tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8, name="image")

    @tf.function
    def logits(image: Any) -> Any:
        features = tf.nn.conv2d(tf.cast(image, tf.float32) / 255.0 - 0.5, kernel, strides=2, padding="SAME")
        return tf.image.resize(features, [HEIGHT, WIDTH])

    def mask(image: Any) -> Any:
        return tf.cast(tf.argmax(logits(image), axis=-1, output_type=tf.int32), tf.uint8)

    @tf.function(input_signature=[image_spec])
    def serving_default(image: Any) -> Any:
        return {"mask": mask(image)}

    @tf.function(input_signature=[image_spec])
    def scores(image: Any) -> Any:
        p = tf.nn.softmax(logits(image))
        confidence = tf.cast(tf.round(255 * tf.reduce_max(p, -1)), tf.uint8)
        return {"mask": mask(image), "confidence": confidence, "entropy": tf.zeros_like(confidence)}

    @tf.function(input_signature=[image_spec])
    def probabilities(image: Any) -> Any:
        return {"probabilities": tf.nn.softmax(logits(image))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def encoded(image_bytes: Any) -> Any:
        def decode(data: Any) -> Any:
            return tf.image.resize(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"), [HEIGHT, WIDTH])

        spec = tf.TensorSpec([HEIGHT, WIDTH, 3], tf.float32)
        images = tf.map_fn(decode, image_bytes, fn_output_signature=spec)
        return {"mask": mask(tf.cast(tf.round(images), tf.uint8))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="query")])
    def describe(query: Any) -> Any:
        return {"model_card": tf.fill(tf.shape(query), model_card)}

    tf.saved_model.save(
        tf.Module(),
        str(folder),
        signatures={f.__name__: f for f in (serving_default, scores, probabilities, encoded, describe)},
    )


@pytest.fixture(scope="session")
def python38(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the converter's image: Python 3.8 with the packages of its lock file."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for python in ("python3.8", *pyenv.glob("versions/3.8.*/bin/python3.8")):
        works = shutil.which(python) and subprocess.run([python, "-c", "import ensurepip"], capture_output=True)
        if works and works.returncode == 0:
            break
    else:
        pytest.skip("no Python 3.8 with venv found: install one, for instance with `pyenv install 3.8`")
    environment = tmp_path_factory.mktemp("python38")
    subprocess.run([python, "-m", "venv", environment], check=True)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", SERVICE / "requirements.lock"]
    subprocess.run([environment / "bin/python", *install], check=True)
    return environment / "bin/python"


@pytest.fixture(scope="session")
def run_python38(python38: Path):
    """``run_python38("-m", "converter", …)``: runs it with the converter and the contract, without a GPU."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(SERVICE), str(SERVICE.parent / "contract")])
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run([python38, *arguments], env=environment, capture_output=True, text=True, check=False)

    return run
