"""The converted model's five signatures, saved around the function that TF-TRT returned.

``TrtGraphConverterV2.save`` would leave ``encoded`` on the unconverted network and ``describe`` with the old card.
"""

from pathlib import Path
from typing import Any, Callable, Dict

import tensorflow as tf

from contract import DESCRIBE, ENCODED, PROBABILITIES, SCORES, SERVING_DEFAULT, ModelCard, signatures


def save(folder: Path, card: ModelCard, source: Path, converted: Callable[[Any], Any], engines: Dict[str, Any]) -> None:
    """Write the SavedModel.

    Args:
        folder: empty, or not there yet.
        card: what ``describe`` answers.
        source: the source's SavedModel, for the signatures that stay native.
        converted: uint8 [N,H,W,3] RGB to ``{"mask": uint8 [N,H,W]}``.
        engines: resources to keep beside the graph, by name.
    """
    # Loaded anew: convert() may have removed functions of the copy that it converted.
    native = tf.saved_model.load(str(source))
    height, width = card.input_height, card.input_width
    model_card = card.to_json()

    def segment(image: Any) -> Any:
        mask = converted(image)["mask"]
        mask.set_shape([None, height, width])  # an engine's outputs have no shape
        return {"mask": mask}

    def decode(data: Any) -> Any:
        # The trainer's own words: the same JPEG gives the same pixels. The operation takes PNG as well.
        pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
        return tf.cast(tf.round(tf.image.resize(pixels, [height, width])), tf.uint8)

    def encoded(image_bytes: Any) -> Any:
        with tf.device("/CPU:0"):
            image = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec([height, width, 3], tf.uint8))
        return segment(image)

    functions = {
        SERVING_DEFAULT: segment,
        SCORES: lambda image: native.signatures[SCORES](image=image),
        PROBABILITIES: lambda image: native.signatures[PROBABILITIES](image=image),
        ENCODED: encoded,
        DESCRIBE: lambda query: {"model_card": tf.fill(tf.shape(query), model_card)},
    }
    module = tf.Module()
    module.trt_engine_resources = engines
    tf.saved_model.save(
        module,
        str(folder),
        signatures={
            name: tf.function(functions[name]).get_concrete_function(
                *(tf.TensorSpec(spec.shape, spec.dtype, name=alias) for alias, spec in signature.inputs.items())
            )
            for name, signature in signatures(card).items()
        },
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
