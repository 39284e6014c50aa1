"""One signature of a SavedModel, frozen, rewritten and saved."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from contract import ModelCard
from converter.errors import ConverterError
from converter.targets.tf_trt.rewrites import rewrite_saved_model


class ThirdParty(tf.Module):
    """As other projects export: float32 of any size in, float32 logits out, a variable, an inner function."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(3).normal(size=[3, 3, 3, 4]).astype(np.float32))

    @tf.function
    def features(self, image):
        return tf.nn.conv2d(image, self.kernel, 2, "SAME")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
    def serve(self, input_1):
        return {"output": tf.image.resize(self.features(input_1), tf.shape(input_1)[1:3])}


@pytest.fixture(scope="module")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("third_party") / "model"
    module = ThirdParty()
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
    return folder


def operations(folder: Path) -> set:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        definition = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).graph_def
    functions = (node for function in definition.library.function for node in function.node_def)
    return {node.op for node in [*definition.node, *functions]}


@pytest.fixture(scope="module")
def images(card: ModelCard):
    size = (2, card.input_height, card.input_width, 3)
    return tf.constant(np.random.default_rng(1).integers(0, 256, size, np.uint8))


@pytest.mark.parametrize("signature", ["serving_default", "probabilities", "scores"])
def test_rewritten_signature_computes_the_same(models_root: Path, images, signature: str, tmp_path: Path) -> None:
    source = models_root / "tiny/1"
    notes = rewrite_saved_model(source, tmp_path / "out", signature)
    assert any("half-pixel ResizeBilinear → taps" in note for note in notes)
    before, after = tf.saved_model.load(str(source)), tf.saved_model.load(str(tmp_path / "out"))
    assert set(after.signatures) == {"serving_default"}
    expected = before.signatures[signature](image=images)
    outputs = after.signatures["serving_default"](image=images)
    assert outputs.keys() == expected.keys()
    for alias, values in expected.items():
        np.testing.assert_allclose(outputs[alias], values, atol=1e-6)
        assert outputs[alias].dtype == values.dtype
    assert "ResizeBilinear" not in operations(tmp_path / "out")


def test_third_party_model_of_any_size_is_rewritten_for_one(third_party: Path, tmp_path: Path) -> None:
    notes = rewrite_saved_model(third_party, tmp_path / "out", image_size=(24, 40))
    assert notes == ["1 size computed from a shape → constant", "1 half-pixel ResizeBilinear → taps"]
    function = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    assert function.structured_input_signature[1]["input_1"].shape.as_list() == [None, 24, 40, 3]
    image = tf.random.stateless_uniform([2, 24, 40, 3], [1, 2])
    expected = tf.saved_model.load(str(third_party)).signatures["serving_default"](input_1=image)["output"]
    np.testing.assert_allclose(function(input_1=image)["output"], expected, atol=2e-6)
    assert not operations(tmp_path / "out") & {"ResizeBilinear", "Shape", "VarHandleOp", "ReadVariableOp"}


def test_resize_without_a_static_size_is_noted(third_party: Path, tmp_path: Path) -> None:
    notes = rewrite_saved_model(third_party, tmp_path / "out")
    assert notes == ["1 ResizeBilinear not rewritten: its size is not static"]


def test_size_other_than_the_graphs_is_refused(models_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConverterError, match=re.escape("takes images of 32x48 (height x width), which is fixed")):
        rewrite_saved_model(models_root / "tiny/1", tmp_path / "out", image_size=(64, 48))
    assert not (tmp_path / "out").exists()


def test_missing_signature_is_refused(third_party: Path, tmp_path: Path) -> None:
    with pytest.raises(ConverterError, match="has no signature scores; its signatures: serving_default"):
        rewrite_saved_model(third_party, tmp_path / "out", "scores")


def test_lookup_table_is_refused(tmp_path: Path) -> None:
    module = tf.Module()
    values = tf.lookup.KeyValueTensorInitializer(tf.range(3, dtype=tf.int64), tf.constant([7, 8, 9], tf.int64))
    module.table = tf.lookup.StaticHashTable(values, 0)

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 6, 3], tf.float32, name="image")])
    def serve(image):
        return {"mask": module.table.lookup(tf.argmax(image, -1))}

    tf.saved_model.save(module, str(tmp_path / "mine"), {"serving_default": serve})
    with pytest.raises(ConverterError, match="uses a resource that cannot be frozen, such as a lookup table: "):
        rewrite_saved_model(tmp_path / "mine", tmp_path / "out")
    assert not (tmp_path / "out").exists()
