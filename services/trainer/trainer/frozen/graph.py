"""The exported graph: one frozen function from pixels to logits, and the contract's signatures around it.

Frozen, because a Keras 3 model's variables are lost in a TensorFlow 1 session and in TensorFlow Serving
(tensorflow#72963), and because any export with variables holds an op that TensorFlow 2.6.2 does not know. The frozen
function is called by every signature, so the weights are stored once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.profiler.model_analyzer import profile
from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

from contract import DESCRIBE, ENCODED, PROBABILITIES, SCORES, SERVING_DEFAULT, ModelCard, Preprocessing
from trainer.errors import UserError
from trainer.frozen.folding import fold_batch_norms
from trainer.models.preprocessing import IMAGENET, normalize, upsample

# A network as `trainer.models` builds them: preprocessed images to logits of any size, under "logits".
Network = Callable[..., dict[str, tf.Tensor]]
Signatures = dict[str, tf.types.experimental.ConcreteFunction]


class SegmentationModule(tf.Module):
    """Holds the frozen function while it is saved."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits


def trained_network(weights: Path) -> keras.Model:
    """The network that a training saved as ``weights``, without the auxiliary head, which only training needs.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        trained = keras.models.load_model(weights, compile=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{weights} cannot be read ({str(error).splitlines()[0]}): train again") from None
    return keras.Model(trained.input, {"logits": trained.output["logits"]})


def freeze(
    network: Network, height: int, width: int, images: int | None = None, preprocessing: Preprocessing = IMAGENET
) -> SegmentationModule:
    """Freeze from uint8 RGB [N, height, width, 3] to float32 logits [N, height, width, C]; N = ``images``.

    Of the network's outputs ``logits`` alone is kept, and what it needs; BatchNorm is folded into convolutions.
    """

    @tf.function(input_signature=[tf.TensorSpec([images, height, width, 3], tf.uint8, name="image")])
    def logits(image: tf.Tensor) -> tf.Tensor:
        low = network(normalize(image, preprocessing), training=False)["logits"]
        full = low if low.shape[1:3] == (height, width) else upsample(low, height, width)
        return tf.cast(full, tf.float32)

    frozen = convert_variables_to_constants_v2(logits.get_concrete_function(), lower_control_flow=False)
    return SegmentationModule(fold_batch_norms(frozen))


def count_flops(frozen: Any) -> int:
    """Floating-point operations of one call of a frozen function (all its sizes known), a multiply-add as two."""
    options = ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return int(profile(frozen.graph, options=options).total_float_ops)


def signatures(module: SegmentationModule, card: ModelCard) -> Signatures:
    """The signatures of the contract, by name."""
    height, width, classes = card.input_height, card.input_width, len(card.classes)
    images = tf.TensorSpec([None, height, width, 3], tf.uint8, name="image")
    strings = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("image_bytes", "query")}

    def logits_of(image: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(module.logits(image)[0], [None, height, width, classes])

    def mask_of(logits: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)

    @tf.function(input_signature=[images])
    def serving_default(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mask": mask_of(logits_of(image))}

    @tf.function(input_signature=[images])
    def scores(image: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = logits_of(image)
        log_p = tf.nn.log_softmax(logits)
        p = tf.exp(log_p)
        entropy = -tf.reduce_sum(p * log_p, axis=-1) / tf.math.log(float(classes))
        confidence = tf.reduce_max(p, axis=-1)
        return {"mask": mask_of(logits), "confidence": _to_uint8(confidence), "entropy": _to_uint8(entropy)}

    @tf.function(input_signature=[images])
    def probabilities(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(logits_of(image))}

    @tf.function(input_signature=[strings["image_bytes"]])
    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decode = tf.TensorSpec([height, width, 3], tf.uint8)
        image = tf.map_fn(lambda data: _decode(data, height, width), image_bytes, fn_output_signature=decode)
        return {"mask": mask_of(logits_of(image))}

    card_json = card.to_json()

    @tf.function(input_signature=[strings["query"]])
    def describe(query: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"model_card": tf.fill(tf.shape(query), tf.constant(card_json))}

    functions = {
        SERVING_DEFAULT: serving_default,
        SCORES: scores,
        PROBABILITIES: probabilities,
        ENCODED: encoded,
        DESCRIBE: describe,
    }
    return {name: function.get_concrete_function() for name, function in functions.items()}


def save(module: SegmentationModule, functions: Signatures, folder: str) -> None:
    """Write the SavedModel."""
    # Custom gradients (SiLU has one) are of no use to serving and cannot be saved from a frozen function.
    tf.saved_model.save(
        module, folder, functions, options=tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    )


def _to_uint8(fraction: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(255.0 * tf.clip_by_value(fraction, 0.0, 1.0)), tf.uint8)


def _decode(data: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """JPEG or PNG bytes to uint8 RGB [height, width, 3]; the decoder recognises either by its first bytes."""
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.cast(tf.round(tf.image.resize(image, [height, width])), tf.uint8)
