"""Freezes and rewrites one signature of a SavedModel, and saves it as TF-TRT's input."""

from pathlib import Path
from typing import Any, List, Optional, Tuple

import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from contract import SERVING_DEFAULT
from converter.errors import ConverterError
from converter.targets.tf_trt.rewrites.apply import apply


def rewrite_saved_model(
    source: Path,
    destination: Path,
    signature: str = SERVING_DEFAULT,
    image_size: Optional[Tuple[int, int]] = None,
) -> List[str]:
    """Write a SavedModel whose only signature, ``serving_default``, computes the same as ``signature`` of ``source``.

    Args:
        source: any SavedModel.
        destination: an empty or absent folder.
        signature: its name in ``source``.
        image_size: height and width, which TensorRT needs, for a model that takes any size.

    Returns:
        Lines for the report, such as "8 half-pixel ResizeBilinear → taps".

    Raises:
        ConverterError: there is no such signature, it uses a lookup table or the like, or its images have another size.
    """
    loaded = tf.saved_model.load(str(source))
    if signature not in loaded.signatures:
        known = ", ".join(sorted(loaded.signatures)) or "none"
        raise ConverterError(f"{source} has no signature {signature}; its signatures: {known}")
    function = loaded.signatures[signature]
    # TensorFlow flattens a signature's inputs and outputs in the order of their names.
    inputs = sorted(function.structured_input_signature[1])
    outputs = sorted(function.structured_outputs)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    if len(frozen.inputs) > len(inputs):
        raise ConverterError(
            f"the signature {signature} of {source} uses a resource that cannot be frozen, such as a lookup "
            "table: expected variables and constants only; export the network without it"
        )
    specs = [
        tf.TensorSpec(_sized(tensor.shape, image_size, source), tensor.dtype, name)
        for name, tensor in zip(inputs, frozen.inputs)
    ]
    graph_def = frozen.graph.as_graph_def()
    for spec, tensor in zip(specs, frozen.inputs):
        (placeholder,) = (node for node in graph_def.node if node.name == tensor.op.name)
        placeholder.attr["shape"].shape.CopyFrom(spec.shape.as_proto())
    tensors = [tensor.name for tensor in frozen.inputs], [tensor.name for tensor in frozen.outputs]
    rewritten, notes = apply(graph_def, [name.split(":")[0] for name in tensors[0] + tensors[1]])

    module = tf.Module()
    module.rewritten = wrap_function.function_from_graph_def(rewritten, *tensors)

    @tf.function(input_signature=specs)
    def serving_default(*arguments: Any) -> Any:
        return dict(zip(outputs, module.rewritten(*arguments)))

    # Custom gradients (SiLU has one) are not needed and cannot be saved from a frozen function.
    tf.saved_model.save(
        module,
        str(destination),
        {SERVING_DEFAULT: serving_default},
        tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    return notes


def _sized(shape: Any, image_size: Optional[Tuple[int, int]], source: Path) -> Any:
    if image_size is None or shape.rank != 4:
        return shape
    requested = tf.TensorShape([None, *image_size, None])
    if not shape.is_compatible_with(requested):
        raise ConverterError(
            "{} takes images of {}x{} (height x width), which is fixed in its graph, not {}x{}: "
            "leave --image-size out".format(source, *shape[1:3], *image_size)
        )
    return shape.merge_with(requested)
