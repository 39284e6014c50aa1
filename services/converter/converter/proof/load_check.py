"""The load check of publishing: load the folder as TensorFlow Serving does and run every signature."""

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
        ConverterError: a signature breaks the contract, fails, or returns a wrong shape or another card.
    """
    with opened(folder) as model:
        problems = mismatches(card, model.signatures)
        if problems:
            raise ConverterError("the converted model breaks the contract: {}".format("; ".join(problems)))
        for name, signature in signatures(card).items():
            feeds = {alias: _blank(spec, card) for alias, spec in signature.inputs.items()}
            try:
                outputs = model.run(name, feeds)
            except tf.errors.OpError as error:
                raise ConverterError(f"signature {name} of the converted model fails: {error.message}") from error
            for alias, spec in signature.outputs.items():
                expected = (1, *spec.shape[1:])
                if outputs[alias].shape != expected:
                    raise ConverterError(
                        f"signature {name} of the converted model returns {alias} of shape {outputs[alias].shape} "
                        f"for one image: expected {expected}"
                    )
            if name == DESCRIBE and outputs["model_card"][0].decode() != card.to_json():
                raise ConverterError("the converted model's describe signature returns a different card than its own")


def check_same(folder: Path, source: Path) -> None:
    """Load a third-party SavedModel, which has no card: its signatures and tensors must be those of its source.

    Raises:
        ConverterError: they differ, or it does not load.
    """
    with opened(source) as model:
        expected = {name: _dtypes(signature) for name, signature in model.signatures.items()}
    with opened(folder) as model:
        found = {name: _dtypes(signature) for name, signature in model.signatures.items()}
    if found != expected:
        raise ConverterError(
            f"the converted model has the signatures {found}: expected those of its source, {expected}"
        )


def _dtypes(signature: Any) -> Any:
    return {
        **{alias: spec.dtype for alias, spec in signature.inputs.items()},
        **{alias: spec.dtype for alias, spec in signature.outputs.items()},
    }


def _blank(spec: TensorSpec, card: ModelCard) -> Any:
    if spec.dtype == "string":
        return [warmup.grey_png(card.input_height, card.input_width)]
    return np.zeros((1, card.input_height, card.input_width, 3), np.uint8)
