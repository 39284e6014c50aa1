"""A published model: a network small enough to read, written by the contract's rules and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract import ClassInfo, Metrics, ModelCard, publish

HEIGHT, WIDTH, CLASSES = 32, 48, 3


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
