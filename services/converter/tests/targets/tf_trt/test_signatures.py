"""The signatures saved with a converted function; here a function of the source's masks replaces it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import contract
from contract import ModelCard, publish
from converter import saved_model
from converter.proof import load_check
from converter.targets.tf_trt import signatures


@pytest.fixture(scope="module")
def source(models_root: Path):
    return tf.saved_model.load(str(models_root / "tiny/1"))


@pytest.fixture(scope="module")
def converted_card(card: ModelCard) -> ModelCard:
    return dataclasses.replace(card, name="tiny-trt-fp16", derived_from="tiny:1")


@pytest.fixture(scope="module")
def result(source, converted_card: ModelCard, models_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """Published, load check included, with a function whose masks differ from the source's: two minus the class."""

    def converted(image):
        return {"mask": 2 - source.signatures["serving_default"](image=image)["mask"]}

    def save(folder: Path) -> None:
        specs = {"serving_default": contract.signatures(converted_card)["serving_default"]}
        signatures.save(folder, models_root / "tiny/1", converted_card, {"serving_default": converted}, specs, {})

    root = tmp_path_factory.mktemp("result")
    version = publish(
        root,
        converted_card,
        write=save,
        check=lambda folder: load_check.check(folder, converted_card),
    )
    return tf.saved_model.load(str(root / "tiny-trt-fp16" / str(version)))


@pytest.fixture
def images(card: ModelCard):
    size = (2, card.input_height, card.input_width, 3)
    return tf.constant(np.random.default_rng(1).integers(0, 256, size, np.uint8))


def test_source_masks_contain_all_classes(source, images) -> None:
    assert set(np.unique(source.signatures["serving_default"](image=images)["mask"])) == {0, 1, 2}


def test_serving_default_runs_the_converted_function(result, source, images) -> None:
    expected = 2 - source.signatures["serving_default"](image=images)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["serving_default"](image=images)["mask"], expected)


def test_encoded_decodes_and_calls_the_converted_function(result, source, images) -> None:
    png = tf.stack([tf.io.encode_png(image) for image in images])
    expected = 2 - source.signatures["encoded"](image_bytes=png)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["encoded"](image_bytes=png)["mask"], expected)


@pytest.mark.parametrize("encode", [tf.io.encode_png, tf.io.encode_jpeg])
def test_encoded_resizes_like_the_source(result, source, encode) -> None:
    photograph = np.random.default_rng(2).integers(0, 256, (71, 53, 3), np.uint8)
    data = encode(photograph)[tf.newaxis]
    expected = 2 - source.signatures["encoded"](image_bytes=data)["mask"].numpy()
    np.testing.assert_array_equal(result.signatures["encoded"](image_bytes=data)["mask"], expected)


@pytest.mark.parametrize("name", ["scores", "probabilities"])
def test_scores_and_probabilities_are_the_sources(result, source, images, name: str) -> None:
    outputs, expected = result.signatures[name](image=images), source.signatures[name](image=images)
    assert set(outputs) == set(expected)
    for alias in expected:
        np.testing.assert_array_equal(outputs[alias], expected[alias])


def test_describe_returns_the_new_card(result, converted_card: ModelCard) -> None:
    cards = result.signatures["describe"](query=tf.constant(["", ""]))["model_card"]
    assert [ModelCard.from_json(text) for text in cards.numpy()] == [converted_card, converted_card]


def test_converted_signature_replaces_the_native_one(models_root: Path, card, images, tmp_path: Path) -> None:
    def constant(alias, shape, dtype):
        return {alias: tf.fill(shape, tf.constant(1, dtype))}

    functions = {
        "serving_default": lambda image: constant("mask", tf.shape(image)[:3], tf.uint8),
        "probabilities": lambda image: constant("probabilities", tf.shape(image), tf.float32),
    }
    specs = {name: contract.signatures(card)[name] for name in functions}
    signatures.save(tmp_path, models_root / "tiny/1", card, functions, specs, {})
    load_check.check(tmp_path, card)
    saved = tf.saved_model.load(str(tmp_path))
    assert (saved.signatures["probabilities"](image=images)["probabilities"].numpy() == 1).all()
    assert (saved.signatures["scores"](image=images)["confidence"].numpy() != 1).any()


def test_a_signature_added_to_the_contract_is_kept(
    models_root: Path, card, images, tmp_path: Path, monkeypatch
) -> None:
    added = {"probabilities_too": contract.signatures(card)["probabilities"]}
    monkeypatch.setattr(signatures, "signatures", lambda card: {**contract.signatures(card), **added})
    loaded = tf.saved_model.load(str(models_root / "tiny/1"))
    native = {name: loaded.signatures[name] for name in contract.signatures(card)}
    tf.saved_model.save(loaded, str(tmp_path / "source"), {**native, "probabilities_too": native["probabilities"]})
    specs = {"serving_default": contract.signatures(card)["serving_default"]}
    signatures.save(
        tmp_path / "saved", tmp_path / "source", card, {"serving_default": native["serving_default"]}, specs, {}
    )
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_array_equal(
        saved.signatures["probabilities_too"](image=images)["probabilities"],
        native["probabilities"](image=images)["probabilities"],
    )


def test_third_party_model_keeps_other_signatures_and_gets_the_size(save_third_party, tmp_path: Path) -> None:
    source = save_third_party(tmp_path / "third_party")
    spec = contract.Signature(
        {"input_1": contract.TensorSpec("float32", (None, 32, 48, 3))},
        {"output": contract.TensorSpec("float32", (None, 32, 48, 3))},
    )
    function = {"serving_default": lambda images: {"output": images + 1}}
    signatures.save(tmp_path / "saved", source, None, function, {"serving_default": spec}, {})
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    assert set(saved.signatures) == {"serving_default", "features", "greet"}
    assert saved.signatures["greet"](language=tf.constant(["en"]))["greeting"].numpy() == [b"hello "]
    with saved_model.opened(tmp_path / "saved") as model:
        assert model.signatures["serving_default"] == spec
