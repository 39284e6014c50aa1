"""The load check of publishing: the finished folder, loaded as TensorFlow Serving loads it, answers every signature."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contract import DESCRIBE, ModelCard, TensorSpec, mismatches, signatures, warmup
from converter.errors import ConverterError
from converter.saved_model import opened


def check(folder: Path, card: ModelCard) -> None:
    """Load the SavedModel into a session and run every signature once, N=1, on a blank image.

    Raises:
        ConverterError: a signature is not what the contract says, fails, or answers another shape or another card.
    """
    with opened(folder) as model:
        problems = mismatches(card, model.signatures)
        if problems:
            raise ConverterError("the converted model breaks the contract: {}".format("; ".join(problems)))
        for name, signature in signatures(card).items():
            feeds = {alias: _blank(spec, card) for alias, spec in signature.inputs.items()}
            try:
                answers = model.run(name, feeds)
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


def check_same(folder: Path, source: Path) -> None:
    """Load another's SavedModel, which has no card to keep to: it has the signatures and tensors of its source.

    Raises:
        ConverterError: it has others, or does not load.
    """
    with opened(source) as model:
        expected = {name: _names(signature) for name, signature in model.signatures.items()}
    with opened(folder) as model:
        found = {name: _names(signature) for name, signature in model.signatures.items()}
    if found != expected:
        raise ConverterError(
            f"the converted model has the signatures {found}: expected those of its source, {expected}"
        )


def _names(signature: Any) -> Any:
    return {
        **{alias: spec.dtype for alias, spec in signature.inputs.items()},
        **{alias: spec.dtype for alias, spec in signature.outputs.items()},
    }


def _blank(spec: TensorSpec, card: ModelCard) -> Any:
    if spec.dtype == "string":
        return [warmup.grey_png(card.input_height, card.input_width)]
    return np.zeros((1, card.input_height, card.input_width, 3), np.uint8)
