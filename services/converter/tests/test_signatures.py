"""The signatures saved around a converted function.

Here a function of the source's masks stands for the converted one: uint8 images in and a mask out is all that the rest
of the SavedModel knows of it.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from contract import ModelCard, publish
from converter import load_check, signatures


@pytest.fixture(scope="module")
def source(models_root: Path):
    return tf.saved_model.load(str(models_root / "tiny/1"))


@pytest.fixture(scope="module")
def converted_card(card: ModelCard) -> ModelCard:
    return dataclasses.replace(card, name="tiny-trt-fp16", derived_from="tiny:1")


@pytest.fixture(scope="module")
def result(source, converted_card: ModelCard, models_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """Published, load check included, with a function whose masks are told from the source's: two minus the class."""

    def converted(image):
        return {"mask": 2 - source.signatures["serving_default"](image=image)["mask"]}

    root = tmp_path_factory.mktemp("result")
    version = publish(
        root,
        converted_card,
        write=lambda folder: signatures.save(folder, converted_card, models_root / "tiny/1", converted, {}),
        check=lambda folder: load_check.check(folder, converted_card),
    )
    return tf.saved_model.load(str(root / "tiny-trt-fp16" / str(version)))


@pytest.fixture
def images(card: ModelCard):
    size = (2, card.input_height, card.input_width, 3)
    return tf.constant(np.random.default_rng(1).integers(0, 256, size, np.uint8))


def test_the_masks_tell_the_two_functions_apart(source, images) -> None:
    assert set(np.unique(source.signatures["serving_default"](image=images)["mask"])) == {0, 1, 2}


def test_serving_default_runs_the_converted_function(result, source, images) -> None:
    expected = 2 - source.signatures["serving_default"](image=images)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["serving_default"](image=images)["mask"], expected)


def test_encoded_decodes_and_calls_the_converted_function(result, source, images) -> None:
    png = tf.stack([tf.io.encode_png(image) for image in images])
    expected = 2 - source.signatures["encoded"](image_bytes=png)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["encoded"](image_bytes=png)["mask"], expected)


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
def test_encoded_resizes_as_the_source_does(result, source, encode) -> None:
    photograph = np.random.default_rng(2).integers(0, 256, (71, 53, 3), np.uint8)
    data = encode(photograph)[tf.newaxis]
    expected = 2 - source.signatures["encoded"](image_bytes=data)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["encoded"](image_bytes=data)["mask"], expected)


@pytest.mark.parametrize("name", ["scores", "probabilities"])
def test_scores_and_probabilities_stay_the_sources(result, source, images, name: str) -> None:
    answers, expected = result.signatures[name](image=images), source.signatures[name](image=images)
    assert set(answers) == set(expected)
    for alias in expected:
        np.testing.assert_array_equal(answers[alias], expected[alias])


def test_describe_answers_the_new_card(result, converted_card: ModelCard) -> None:
    answer = result.signatures["describe"](query=tf.constant(["", ""]))["model_card"]
    assert [ModelCard.from_json(text) for text in answer.numpy()] == [converted_card, converted_card]
