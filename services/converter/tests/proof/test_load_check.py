"""The load check before a converted model is published."""

import dataclasses
from pathlib import Path

import pytest
import tensorflow as tf

import contract
from contract import ModelCard
from converter.errors import ConverterError
from converter.proof import load_check
from converter.targets.tf_trt import signatures


def test_model_that_keeps_the_contract_passes(models_root: Path, card: ModelCard) -> None:
    load_check.check(models_root / "tiny/1", card)


def test_wrong_input_size_is_refused(models_root: Path, card: ModelCard) -> None:
    with pytest.raises(ConverterError, match=r"breaks the contract: .*image is uint8 \[\?, 32, 48, 3\], expected"):
        load_check.check(models_root / "tiny/1", dataclasses.replace(card, input_height=64))


def test_wrong_card_in_describe_is_refused(models_root: Path, card: ModelCard) -> None:
    with pytest.raises(ConverterError, match="returns a different card than its own"):
        load_check.check(models_root / "tiny/1", dataclasses.replace(card, flops=1))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: {"mask": tf.repeat(tf.cast(image[..., 0], tf.uint8), 2, axis=0)}, r"of shape \(2, 32, 48\)"),
        (lambda image: {"mask": tf.reshape(tf.cast(image[..., 0], tf.uint8), [-1, 7, 7])}, "serving_default .* fails"),
    ],
)
def test_wrong_output_of_a_converted_function_is_refused(models_root, card, tmp_path, function, message) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
    def converted(image):
        return {name: tf.compat.v1.placeholder_with_default(t, [None] * 3) for name, t in function(image).items()}

    specs = {"serving_default": contract.signatures(card)["serving_default"]}
    signatures.save(tmp_path, models_root / "tiny/1", card, {"serving_default": converted}, specs, {})
    with pytest.raises(ConverterError, match=message):
        load_check.check(tmp_path, card)


def test_third_party_model_must_keep_its_signatures(models_root: Path, save_third_party, tmp_path: Path) -> None:
    load_check.check_same(save_third_party(tmp_path / "copy"), save_third_party(tmp_path / "third_party"))
    with pytest.raises(ConverterError, match=r"has the signatures .*input_1.*: expected those of its source, .*image"):
        load_check.check_same(tmp_path / "copy", models_root / "tiny/1")
