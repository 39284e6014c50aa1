"""Saves the converted model: its signatures call the functions that TF-TRT returned.

``TrtGraphConverterV2.save`` would leave ``encoded`` with the unconverted network and ``describe`` with the old card.
"""

from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import tensorflow as tf

from contract import (
    DESCRIBE,
    ENCODED,
    SERVING_DEFAULT,
    ModelCard,
    Signature,
    TensorSpec,
    signatures,
)
from converter.images import decode

Function = Callable[..., Dict[str, Any]]


def save(
    folder: Path,
    source: Path,
    card: Optional[ModelCard],
    converted: Mapping[str, Function],
    interfaces: Mapping[str, Signature],
    resources: Mapping[str, Any],
) -> None:
    """Write the SavedModel.

    Args:
        folder: empty or absent.
        source: the source's SavedModel, for the signatures that are not converted.
        card: what ``describe`` returns; None for a third-party model, which keeps its own signatures.
        converted: by signature, a function from images to the outputs by alias.
        interfaces: the tensors of these signatures.
        resources: engines to save with the graph, by name.
    """
    # Loaded again: convert() may have removed functions from the copy that it converted.
    loaded = tf.saved_model.load(str(source))
    native = loaded.signatures
    if card is None:
        functions, tensors = _unchanged(native)
    else:
        functions, tensors = _contract_signatures(native, card, converted[SERVING_DEFAULT]), dict(signatures(card))
    tensors.update(interfaces)
    functions.update({name: _with_shapes(function, interfaces[name]) for name, function in converted.items()})
    module = tf.Module()
    module.trt_engine_resources = dict(resources)
    # Signatures left unconverted may need variables and tables; frozen ones would only be saved twice.
    if any(native[name].captured_inputs for name in native if name in tensors and name not in converted):
        module.native = loaded
    tf.saved_model.save(
        module,
        str(folder),
        signatures={name: _concrete(functions[name], tensors[name]) for name in tensors},
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )


def _contract_signatures(native: Any, card: ModelCard, segment: Function) -> Dict[str, Function]:
    height, width = card.input_height, card.input_width
    model_card = card.to_json()

    def encoded(image_bytes: Any) -> Any:
        def decode_one(data: Any) -> Any:
            return decode(data, height, width)

        with tf.device("/CPU:0"):
            image = tf.map_fn(decode_one, image_bytes, fn_output_signature=tf.TensorSpec([height, width, 3], tf.uint8))
        return _with_shapes(segment, signatures(card)[ENCODED])(image=image)

    return {
        **{name: _native(native[name]) for name in signatures(card)},
        ENCODED: encoded,
        DESCRIBE: lambda query: {"model_card": tf.fill(tf.shape(query), model_card)},
    }


def _unchanged(native: Any) -> Any:
    functions = {name: _native(native[name]) for name in native}
    tensors = {
        name: Signature(_specs(native[name].structured_input_signature[1]), _specs(native[name].structured_outputs))
        for name in native
    }
    return functions, tensors


def _native(function: Function) -> Function:
    """The source's own function: what is traced for saving must be Python."""
    return lambda **inputs: function(**inputs)


def _with_shapes(function: Function, interface: Signature) -> Function:
    """``function`` called by its input's name, with static output shapes, which an engine's outputs lack."""

    def shaped(**inputs: Any) -> Dict[str, Any]:
        (images,) = inputs.values()
        outputs = dict(function(images))
        for alias, spec in interface.outputs.items():
            outputs[alias].set_shape(spec.shape)
        return outputs

    return shaped


def _concrete(function: Function, interface: Signature) -> Any:
    return tf.function(function).get_concrete_function(
        **{alias: tf.TensorSpec(spec.shape, spec.dtype, name=alias) for alias, spec in interface.inputs.items()}
    )


def _specs(tensors: Mapping[str, Any]) -> Dict[str, TensorSpec]:
    return {alias: TensorSpec(spec.dtype.name, tuple(spec.shape)) for alias, spec in tensors.items()}
