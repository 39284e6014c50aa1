"""The published SavedModel, run as TensorFlow Serving runs it: its signatures agree with each other and with Keras.

The model is the fixture ``published``: one epoch over the drawn set, at 64x96.
"""

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from contract import ModelCard, Signature, TensorSpec, mismatches, signatures
from trainer.models.preprocessing import normalize, upsample


@pytest.fixture(scope="module")
def saved_model(published):
    """``saved_model(signature, **inputs)`` in a TensorFlow 1 session, and the ``definition`` and ``graph`` it runs."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        definition = tf.compat.v1.saved_model.load(session, ["serve"], str(published.folder)).signature_def

    def run(name, **inputs):
        feed = {definition[name].inputs[alias].name: value for alias, value in inputs.items()}
        fetches = {alias: info.name for alias, info in definition[name].outputs.items()}
        return session.run(fetches, feed)

    run.definition, run.graph = definition, session.graph
    yield run
    session.close()


@pytest.fixture(scope="module")
def images(dataset):
    """Three drawn images and one of noise, uint8 RGB [4, 64, 96, 3]."""
    drawn = [cv2.imread(str(dataset.root / item.image), cv2.IMREAD_COLOR_RGB) for item in dataset.split("test")[:3]]
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    return np.stack([*drawn, noise])


@pytest.fixture(scope="module")
def logits(run, images):
    """The Keras model's own, at the images' size."""
    model = keras.models.load_model(run.weights, compile=False)
    return np.asarray(upsample(model(normalize(images), training=False)["logits"], 64, 96))


def assert_equal_masks(found, expected, logits):
    """Equal, but for the few pixels whose two best logits are one to within rounding.

    Another graph or batch may sum in another order, and the network is another one after every training.
    """
    second, best = np.moveaxis(np.sort(logits, axis=-1)[..., -2:], -1, 0)
    decided = best - second > 1e-4 * logits.std()
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(found[decided], expected[decided])


def signatures_of(definition, names):
    """As the contract describes them; TensorFlow adds others of its own."""

    def specs(tensors):
        shapes = {a: tuple(None if d.size < 0 else d.size for d in t.tensor_shape.dim) for a, t in tensors.items()}
        return {alias: TensorSpec(tf.dtypes.as_dtype(t.dtype).name, shapes[alias]) for alias, t in tensors.items()}

    return {name: Signature(specs(definition[name].inputs), specs(definition[name].outputs)) for name in names}


def test_signatures_are_those_of_the_contract(saved_model, published):
    names = signatures(published.card)
    assert set(names) <= set(saved_model.definition)
    assert mismatches(published.card, signatures_of(saved_model.definition, names)) == []


def test_graph_has_no_variable(saved_model):
    """A Keras model's variables would be lost in the session; TensorFlow 2.6.2 cannot even read their save function."""
    graph = saved_model.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert "Conv2D" in operations
    assert not {o for o in operations if "Variable" in o or o == "DisableCopyOnRead"}


def test_mask_is_the_argmax_of_the_keras_model(saved_model, images, logits):
    mask = saved_model("serving_default", image=images)["mask"]
    assert mask.dtype == np.uint8
    assert_equal_masks(mask, logits.argmax(axis=-1), logits)
    assert len(np.unique(mask)) > 1  # with a single class the comparison would show nothing


def test_images_of_a_batch_are_independent(saved_model, images, logits):
    together = saved_model("serving_default", image=images)["mask"]
    alone = np.stack([saved_model("serving_default", image=image[None])["mask"][0] for image in images])
    assert_equal_masks(together, alone, logits)


def test_probabilities_are_the_softmax(saved_model, images, logits):
    probabilities = saved_model("probabilities", image=images)["probabilities"]
    assert probabilities.dtype == np.float32
    drawn, noise = np.split(np.abs(probabilities - np.asarray(tf.nn.softmax(logits))), [3])
    assert drawn.max() < 1e-5
    # Rounding grows with the logits, whose deviation was 5 to 7 after two trainings, and the difference in noise 8e-6.
    assert noise.max() < 5e-6 * logits.std()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)


def test_scores_summarise_the_probabilities(saved_model, images):
    scores = saved_model("scores", image=images)
    p = saved_model("probabilities", image=images)["probabilities"].astype(np.float64)
    np.testing.assert_array_equal(scores["mask"], saved_model("serving_default", image=images)["mask"])
    np.testing.assert_array_equal(scores["mask"], p.argmax(axis=-1))
    entropy = -(p * np.log(np.maximum(p, 1e-30))).sum(axis=-1) / np.log(p.shape[-1])
    for name, expected in [("confidence", p.max(axis=-1)), ("entropy", entropy)]:
        assert scores[name].dtype == np.uint8
        # Rounded to a grey level; at a half, the last bit of a float32 decides.
        np.testing.assert_allclose(scores[name], 255 * expected, rtol=0, atol=0.5 + 1e-2)


class TestEncoded:
    def test_png_gives_the_mask_of_its_pixels(self, saved_model, images, encode_image):
        files = np.array([encode_image(image, ".png") for image in images], object)
        np.testing.assert_array_equal(
            saved_model("encoded", image_bytes=files)["mask"], saved_model("serving_default", image=images)["mask"]
        )

    def test_jpeg_is_decoded_as_by_the_reference_decoder(self, saved_model, images, encode_image):
        """cv2 and the graph both use libjpeg's accurate integer transform."""
        files = [encode_image(image, ".jpg") for image in images]
        decoded = np.stack([cv2.imdecode(np.frombuffer(f, np.uint8), cv2.IMREAD_COLOR_RGB) for f in files])
        np.testing.assert_array_equal(
            saved_model("encoded", image_bytes=np.array(files, object))["mask"],
            saved_model("serving_default", image=decoded)["mask"],
        )

    def test_any_size_is_stretched_to_the_input_size(self, saved_model, images, encode_image):
        photo = cv2.resize(images[0], (131, 77))
        stretched = np.asarray(tf.round(tf.image.resize(photo, (64, 96)))).astype(np.uint8)
        np.testing.assert_array_equal(
            saved_model("encoded", image_bytes=np.array([encode_image(photo, ".png")], object))["mask"],
            saved_model("serving_default", image=stretched[None])["mask"],
        )

    def test_grey_is_decoded_as_rgb(self, saved_model, images, encode_image):
        grey = images[0, ..., 0]
        np.testing.assert_array_equal(
            saved_model("encoded", image_bytes=np.array([encode_image(grey, ".png")], object))["mask"],
            saved_model("serving_default", image=np.repeat(grey[None, ..., None], 3, axis=-1))["mask"],
        )

    def test_bytes_that_are_no_image_are_an_error(self, saved_model):
        with pytest.raises(tf.errors.InvalidArgumentError):
            saved_model("encoded", image_bytes=np.array([b"half an image"], object))


@pytest.mark.parametrize("queries", [[b""], [b"card", "äöü".encode(), b"?"]])
def test_describe_returns_the_published_card(saved_model, published, queries):
    answers = saved_model("describe", query=np.array(queries, object))["model_card"]
    stored = (published.folder / "assets.extra/model_card.json").read_text(encoding="utf-8")
    assert [answer.decode() for answer in answers] == [stored] * len(queries)
    assert ModelCard.from_json(stored) == published.card
