"""A SavedModel's signature, frozen, rewritten and saved again for TF-TRT to read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Tuple

import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from contract import SERVING_DEFAULT
from converter.errors import ConverterError
from converter.targets.tf_trt.rewrites.apply import apply


@dataclass(frozen=True)
class Rewritten:
    """``notes`` are lines for the report: "8 half-pixel ResizeBilinear → taps"."""

    notes: List[str]


def rewrite_saved_model(
    source: Path,
    destination: Path,
    signature: str = SERVING_DEFAULT,
    image_size: Optional[Tuple[int, int]] = None,
) -> Rewritten:
    """Write a SavedModel whose only signature, ``serving_default``, answers as ``signature`` of ``source`` does.

    Args:
        source: any SavedModel, ours or not.
        destination: a folder that does not exist yet, or is empty.
        signature: its name in ``source``.
        image_size: height and width, for a model that leaves them open: TensorRT needs them.

    Raises:
        ConverterError: there is no such signature, it has tables or the like, or its images have another size.
    """
    loaded = tf.saved_model.load(str(source))
    if signature not in loaded.signatures:
        known = ", ".join(sorted(loaded.signatures)) or "none at all"
        raise ConverterError(f"{source} has no signature {signature}: it has {known}")
    function = loaded.signatures[signature]
    # TensorFlow flattens a signature's inputs and outputs in the order of their names.
    inputs = sorted(function.structured_input_signature[1])
    outputs = sorted(function.structured_outputs)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    if len(frozen.inputs) > len(inputs):
        raise ConverterError(
            f"the signature {signature} of {source} reads what cannot be written into its graph, such as a lookup "
            "table: expected variables and constants alone; export the network without it"
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

    # Custom gradients (SiLU has one) are of no use here and cannot be saved from a frozen function.
    tf.saved_model.save(
        module,
        str(destination),
        {SERVING_DEFAULT: serving_default},
        tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    return Rewritten(notes)


def _sized(shape: Any, image_size: Optional[Tuple[int, int]], source: Path) -> Any:
    if image_size is None or shape.rank != 4:
        return shape
    wanted = tf.TensorShape([None, *image_size, None])
    if not shape.is_compatible_with(wanted):
        raise ConverterError(
            "{} takes images of {}x{} (height x width), and its graph is fixed to it: expected {}x{}, or no size "
            "asked for at all".format(source, *shape[1:3], *image_size)
        )
    return shape.merge_with(wanted)
