"""TF-TRT itself: ``serving_default`` converted, its engines built and written to disk.

Written against TensorFlow 2.6.2, whose parameters go in a ``TrtConversionParams`` tuple and which knows neither
``summary()`` nor GPU-independent engines. Engines have an implicit batch: built for N, they take 1..N images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
from tensorflow.python.compiler.tensorrt import trt_convert
from tensorflow.python.compiler.tensorrt.trt_convert import gen_trt_ops
from tensorflow.python.framework import errors

from contract import SERVING_DEFAULT
from converter.errors import ConverterError
from converter.options import Options

# TensorFlow's own default: a smaller segment costs more in copies than its engine gains.
MINIMUM_SEGMENT_SIZE = 3
_ENGINE_OP = "TRTEngineOp"


@dataclass(frozen=True)
class Conversion:
    """``function`` takes uint8 [N,H,W,3] and returns ``{"mask": …}``; ``engines`` are its built engines by name, as
    trackable resources whose files must stay in place until the SavedModel is written."""

    function: Any
    engines: Dict[str, Any]


def convert(options: Options, scratch: Path) -> Conversion:
    """Convert the source's ``serving_default`` and build an engine for every batch size; minutes on a GPU.

    Args:
        options: what to convert.
        scratch: an empty folder that outlives the SavedModel's writing; engines are put there.

    Raises:
        ConverterError: TensorRT takes no part of the graph, or an engine could not be built.
    """
    parameters = trt_convert.TrtConversionParams(
        precision_mode=options.precision.upper(),
        max_workspace_size_bytes=options.workspace_mb << 20,
        minimum_segment_size=MINIMUM_SEGMENT_SIZE,
        # With every place taken, a batch larger than all of them runs in TensorFlow instead of stopping the server
        # for minutes to build another engine.
        maximum_cached_engines=len(options.batch_sizes),
    )
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=str(options.source.folder),
        input_saved_model_signature_key=SERVING_DEFAULT,
        conversion_params=parameters,
    )
    function = converter.convert()
    names = engine_names(function.graph.as_graph_def())
    if not names:
        raise ConverterError(f"TensorRT takes no part of {options.source.card.name}: serve it as it is")
    card = options.source.card
    converter.build(input_fn=lambda: blank_batches(options.batch_sizes, card.input_height, card.input_width))
    return Conversion(function, _write_engines(names, scratch, len(options.batch_sizes)))


def engine_names(graph_def: Any) -> List[str]:
    """The engines of a converted graph, in its body and in its function library, as TF-TRT's cache names them."""
    nodes = list(graph_def.node) + [node for function in graph_def.library.function for node in function.node_def]
    return sorted({node.name.split("/")[-1] for node in nodes if node.op == _ENGINE_OP})


def blank_batches(batch_sizes: Tuple[int, ...], height: int, width: int) -> Iterator[List[Any]]:
    """One uint8 [N,H,W,3] batch for every N, ascending.

    The order matters: a batch that fits an engine built before runs on that one, and gets none of its own.
    """
    for batch_size in sorted(batch_sizes):
        yield [np.zeros((batch_size, height, width, 3), np.uint8)]


def _write_engines(names: List[str], scratch: Path, maximum_cached_engines: int) -> Dict[str, Any]:
    engines = {}
    for name in names:
        path = scratch / f"trt-serialized-engine.{name}"
        try:
            gen_trt_ops.serialize_trt_resource(resource_name=name, filename=str(path), delete_resource=True)
        except errors.NotFoundError:
            raise ConverterError(f"{name} was never run, so it has no engine: the graph does not reach it") from None
        # TF-TRT only logs that TensorRT failed, and runs the segment in TensorFlow from then on.
        if not path.stat().st_size:
            raise ConverterError(
                f"TensorRT built no engine for {name}: the log above says why; "
                "try a larger --workspace-mb, smaller --batch-sizes or --precision fp32"
            )
        engines[name] = trt_convert._TRTEngineResource(name, str(path), maximum_cached_engines)
    return engines
