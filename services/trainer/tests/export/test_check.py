"""The load check: what would fail in TensorFlow Serving is found before it is published."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from contract import ClassInfo, ModelCard, Signature, TensorSpec, signatures
from trainer.errors import UserError
from trainer.export.check import check_saved_model

CARD = ModelCard("tiny", "constant", 8, 12, (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "road", (1, 1, 1))))


def tensor_of(spec, count):
    """Anything that fits the signature."""
    if spec.dtype == "string":
        return tf.fill([count], CARD.to_json())
    return tf.zeros([count, *spec.shape[1:]], spec.dtype)


@pytest.fixture
def saved(tmp_path):
    """Save a module whose signatures are ``wanted``; ``behave`` makes an output in place of zeros, by its name."""

    def save(wanted, behave=None):
        functions = {}
        for name, signature in wanted.items():
            specs = {alias: tf.TensorSpec(s.shape, s.dtype, alias) for alias, s in signature.inputs.items()}

            def answer(outputs=signature.outputs, **inputs):
                count = tf.shape(next(iter(inputs.values())))[0]
                return {a: (behave or {}).get(a, tensor_of)(spec, count) for a, spec in outputs.items()}

            functions[name] = tf.function(answer, autograph=False).get_concrete_function(**specs)
        tf.saved_model.save(tf.Module(), str(tmp_path / "1"), functions)
        return str(tmp_path / "1")

    return save


def test_model_that_meets_the_contract_passes(saved):
    check_saved_model(saved(signatures(CARD)), CARD)


def test_missing_signature(saved):
    with pytest.raises(UserError, match="breaks the contract: signature scores is missing"):
        check_saved_model(saved({n: s for n, s in signatures(CARD).items() if n != "scores"}), CARD)


def test_output_of_another_type(saved):
    wanted = signatures(CARD)
    wanted["serving_default"] = Signature(
        wanted["serving_default"].inputs, {"mask": TensorSpec("float32", (None, 8, 12))}
    )
    with pytest.raises(
        UserError, match=r"serving_default: mask is float32 \[\?, 8, 12\], expected uint8 \[\?, 8, 12\]"
    ):
        check_saved_model(saved(wanted), CARD)


def test_batch_that_returns_one_mask(saved):
    """The signature allows any count; only running it with two images shows that it does not."""
    one = {"mask": lambda spec, count: tf.ensure_shape(tf.zeros([count // count, 8, 12], tf.uint8), [None, 8, 12])}
    with pytest.raises(UserError, match=r"serving_default: mask has shape \(1, 8, 12\), expected \(2, 8, 12\)"):
        check_saved_model(saved(signatures(CARD), one), CARD)


def test_graph_that_fails_when_run(saved):
    def failing(spec, count):
        with tf.control_dependencies([tf.debugging.Assert(count > 100, ["too few"])]):
            return tensor_of(spec, count)

    with pytest.raises(
        UserError, match=r"signature probabilities fails on a batch of 1: .* assertion failed: \[too few\]"
    ):
        check_saved_model(saved(signatures(CARD), {"probabilities": failing}), CARD)


def test_different_card(saved):
    folder = saved(signatures(CARD))
    with pytest.raises(UserError, match="describe returns a different card"):
        check_saved_model(folder, dataclasses.replace(CARD, architecture="other"))


def test_images_have_the_size_of_the_card(saved):
    """A variable shape in the graph must not hide that it takes a different size."""
    seen = []

    def at_run_time(spec, count):
        return tf.numpy_function(lambda n: seen.append(int(n)) or np.zeros([n, 8, 12], np.uint8), [count], tf.uint8)

    with pytest.raises(UserError, match="mask is uint8"):
        check_saved_model(saved(signatures(CARD), {"mask": at_run_time}), CARD)
    assert seen == []
