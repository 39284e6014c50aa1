"""Calls TF-TRT: converts a rewritten signature, builds its engines and writes them to disk.

Written for TensorFlow 2.6.2, whose parameters go in a ``TrtConversionParams`` tuple and which has neither
``summary()`` nor GPU-independent engines. Engines have an implicit batch: built for N, they take 1..N images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np
from tensorflow.python.compiler.tensorrt import trt_convert
from tensorflow.python.compiler.tensorrt.trt_convert import gen_trt_ops
from tensorflow.python.framework import errors

from contract import SERVING_DEFAULT
from converter.arguments import Options
from converter.errors import ConverterError
from converter.images import Images
from converter.interface import Interface
from converter.targets.tf_trt.engines import MINIMUM_SEGMENT_SIZE, EngineSummary, summarize_engines


@dataclass(frozen=True)
class Converted:
    """A converted signature.

    Attributes:
        function: takes the image batch and returns the outputs by alias.
        resources: the engines by name, as trackable objects; their files must exist until the SavedModel is saved.
        engines: what TF-TRT converted.
    """

    function: Callable[[Any], Dict[str, Any]]
    resources: Dict[str, Any]
    engines: EngineSummary


def with_tensorrt(
    options: Options, interface: Interface, rewritten: Path, scratch: Path, calibration: Optional[Images]
) -> Converted:
    """Convert a rewritten SavedModel and build an engine for every batch size; minutes on a GPU.

    Args:
        options: what to convert, and how.
        interface: the signature's input.
        rewritten: a SavedModel whose only signature is ``serving_default``.
        scratch: an empty folder for the engines, needed until the SavedModel is saved.
        calibration: the images that int8 is calibrated on.

    Raises:
        ConverterError: TensorRT takes no part of the graph, or an engine could not be built.
    """
    parameters = trt_convert.TrtConversionParams(
        precision_mode=options.precision.upper(),
        max_workspace_size_bytes=options.workspace_mb << 20,
        minimum_segment_size=MINIMUM_SEGMENT_SIZE,
        # With the cache full, a larger batch runs in TensorFlow instead of blocking the server for minutes while
        # another engine is built.
        maximum_cached_engines=len(options.batch_sizes),
    )
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=str(rewritten),
        input_saved_model_signature_key=SERVING_DEFAULT,
        conversion_params=parameters,
    )
    if options.precision == "int8":
        if calibration is None:
            raise ValueError("int8 without calibration images: arguments.parse refuses that")
        images = calibration
        function = converter.convert(calibration_input_fn=lambda: calibration_batches(images, interface))
    else:
        function = converter.convert()
    summary = summarize_engines(function.graph.as_graph_def())
    names = [engine["name"] for engine in summary.engines]
    if not names:
        raise ConverterError(f"TensorRT takes no part of {options.source.name}: serve the source instead")
    converter.build(input_fn=lambda: blank_batches(options.batch_sizes, interface))
    return Converted(function, _write_engines(names, scratch, len(options.batch_sizes)), summary)


def blank_batches(batch_sizes: Tuple[int, ...], interface: Interface) -> Iterator[List[Any]]:
    """One batch [N,H,W,3] for every N, ascending.

    The order matters: a batch that fits an existing engine runs on it, and no engine is built for it.
    """
    for batch_size in sorted(batch_sizes):
        blank = np.zeros((batch_size, interface.height, interface.width, 3), np.uint8)
        yield list(interface.feeds(blank).values())


def calibration_batches(images: Images, interface: Interface) -> Iterator[List[Any]]:
    """Every image, one at a time: TF-TRT calibrates on batches of one shape only."""
    for index in range(len(images.names())):
        image = images.read(index, interface.height, interface.width)
        yield list(interface.feeds(image[np.newaxis]).values())


def _write_engines(names: List[str], scratch: Path, maximum_cached_engines: int) -> Dict[str, Any]:
    resources = {}
    for name in names:
        path = scratch / f"trt-serialized-engine.{name}"
        try:
            gen_trt_ops.serialize_trt_resource(resource_name=name, filename=str(path), delete_resource=True)
        except errors.NotFoundError:
            raise ConverterError(f"{name} was never run, so it has no engine: it is unreachable in the graph") from None
        # When TensorRT fails, TF-TRT only logs it and runs the segment in TensorFlow.
        if not path.stat().st_size:
            raise ConverterError(
                f"TensorRT built no engine for {name} (see the log above): "
                "try a larger --workspace-mb, smaller --batch-sizes or --precision fp32"
            )
        resources[name] = trt_convert._TRTEngineResource(name, str(path), maximum_cached_engines)
    return resources
