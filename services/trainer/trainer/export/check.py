"""The load check of an export: a TensorFlow 1 session, as TensorFlow Serving has one, runs every signature."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import ModelCard, Signature, TensorSpec, mismatches, signatures
from contract.warmup import grey_png
from trainer.errors import UserError, one_line


def check_saved_model(folder: str, card: ModelCard) -> None:
    """Load ``folder`` as TensorFlow Serving does, compare it with the contract and run it with one and two images.

    Raises:
        UserError: a signature is missing, has different tensors, fails, or returns a different card.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        # tf.saved_model.load would hide variables that a session does not find.
        definition = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        # Signatures beyond the contract's do no harm: TensorFlow adds __saved_model_init_op, for instance.
        problems = mismatches(
            card, {name: _signature(definition[name]) for name in signatures(card) if name in definition}
        )
        if problems:
            raise UserError(f"the export breaks the contract: {'; '.join(problems)}")
        for name, signature in signatures(card).items():
            for count in (1, 2):
                feed = {
                    definition[name].inputs[alias].name: _example(spec, count, card)
                    for alias, spec in signature.inputs.items()
                }
                fetches = {alias: definition[name].outputs[alias].name for alias in signature.outputs}
                try:
                    answers = session.run(fetches, feed)
                except tf.errors.OpError as error:
                    reason = one_line(error.message)
                    raise UserError(f"signature {name} fails on a batch of {count}: {reason}") from None
                for alias, value in answers.items():
                    expected = (count, *signature.outputs[alias].shape[1:])
                    if value.shape != expected:
                        raise UserError(f"signature {name}: {alias} has shape {value.shape}, expected {expected}")
                    if alias == "model_card" and ModelCard.from_json(value[0]) != card:
                        raise UserError("signature describe returns a different card than the published one")


def _signature(definition: tf.compat.v1.MetaGraphDef) -> Signature:
    def specs(tensors: dict) -> dict[str, TensorSpec]:
        return {
            alias: TensorSpec(
                tf.dtypes.as_dtype(info.dtype).name,
                tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim),
            )
            for alias, info in tensors.items()
        }

    return Signature(specs(definition.inputs), specs(definition.outputs))


def _example(spec: TensorSpec, count: int, card: ModelCard) -> NDArray:
    if spec.dtype == "string":
        return np.array([grey_png(card.input_height, card.input_width)] * count, object)
    return np.zeros([count, *(side or 1 for side in spec.shape[1:])], spec.dtype)
