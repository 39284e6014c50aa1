"""The load check of publishing: the finished folder, loaded as TensorFlow Serving loads it, answers every signature."""

from pathlib import Path
from typing import Any, Dict

import numpy as np
import tensorflow as tf

from contract import DESCRIBE, ModelCard, Signature, TensorSpec, mismatches, signatures, warmup
from converter.errors import ConverterError


def check(folder: Path, card: ModelCard) -> None:
    """Load the SavedModel into a session and run every signature once, N=1, on a blank image.

    Raises:
        ConverterError: a signature is not what the contract says, fails, or answers another shape or another card.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        definitions = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def
        found = {
            name: Signature(_specs(definition.inputs), _specs(definition.outputs))
            for name, definition in definitions.items()
            if name in signatures(card)
        }
        problems = mismatches(card, found)
        if problems:
            raise ConverterError("the converted model breaks the contract: {}".format("; ".join(problems)))
        for name, signature in signatures(card).items():
            definition = definitions[name]
            feeds = {definition.inputs[alias].name: _blank(spec, card) for alias, spec in signature.inputs.items()}
            fetches = {alias: definition.outputs[alias].name for alias in signature.outputs}
            try:
                answers = session.run(fetches, feeds)
            except tf.errors.OpError as error:
                raise ConverterError(f"signature {name} of the converted model fails: {error.message}") from error
            for alias, spec in signature.outputs.items():
                expected = (1, *spec.shape[1:])
                if answers[alias].shape != expected:
                    raise ConverterError(
                        f"signature {name} of the converted model answers {alias} of shape {answers[alias].shape} to "
                        f"one image: expected {expected}"
                    )
            if name == DESCRIBE and answers["model_card"][0].decode() != card.to_json():
                raise ConverterError("the converted model's describe signature answers another card than its own")


def _specs(tensors: Any) -> Dict[str, TensorSpec]:
    return {
        alias: TensorSpec(
            tf.dtypes.as_dtype(info.dtype).name,
            tuple(None if dim.size < 0 else int(dim.size) for dim in info.tensor_shape.dim),
        )
        for alias, info in tensors.items()
    }


def _blank(spec: TensorSpec, card: ModelCard) -> Any:
    if spec.dtype == "string":
        return [warmup.grey_png(card.input_height, card.input_width)]
    return np.zeros((1, card.input_height, card.input_width, 3), np.uint8)
