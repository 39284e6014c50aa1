"""TF-TRT itself: a rewritten signature converted, its engines built and written to disk.

Written against TensorFlow 2.6.2, whose parameters go in a ``TrtConversionParams`` tuple and which knows neither
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
from converter.proof.masks import Interface
from converter.targets.tf_trt import engines

# TensorFlow's own default: a smaller segment costs more in copies than its engine gains.
MINIMUM_SEGMENT_SIZE = 3


@dataclass(frozen=True)
class Converted:
    """``function`` takes the image batch and returns the outputs by alias; ``resources`` are its built engines by
    name, as trackable objects whose files must stay in place until the SavedModel is written."""

    function: Callable[[Any], Dict[str, Any]]
    resources: Dict[str, Any]
    engines: engines.EngineSummary


def with_tensorrt(
    options: Options, interface: Interface, rewritten: Path, scratch: Path, calibration: Optional[Images]
) -> Converted:
    """Convert a rewritten SavedModel and build an engine for every batch size; minutes on a GPU.

    Args:
        options: what to convert, and how.
        interface: how the signature takes its images.
        rewritten: a SavedModel with ``serving_default`` alone.
        scratch: an empty folder that outlives the SavedModel's writing; engines are put there.
        calibration: what int8 is calibrated on.

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
        input_saved_model_dir=str(rewritten),
        input_saved_model_signature_key=SERVING_DEFAULT,
        conversion_params=parameters,
    )
    if options.precision == "int8":
        if calibration is None:
            raise ValueError("int8 without images to calibrate on: options.parse refuses that")
        images = calibration
        function = converter.convert(calibration_input_fn=lambda: calibration_batches(images, interface))
    else:
        function = converter.convert()
    summary = engines.summary(function.graph.as_graph_def())
    names = [engine["name"] for engine in summary.engines]
    if not names:
        raise ConverterError(f"TensorRT takes no part of {options.source.name}: serve it as it is")
    converter.build(input_fn=lambda: blank_batches(options.batch_sizes, interface))
    return Converted(function, _write_engines(names, scratch, len(options.batch_sizes)), summary)


def blank_batches(batch_sizes: Tuple[int, ...], interface: Interface) -> Iterator[List[Any]]:
    """One batch [N,H,W,3] for every N, ascending.

    The order matters: a batch that fits an engine built before runs on that one, and gets none of its own.
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
            raise ConverterError(f"{name} was never run, so it has no engine: the graph does not reach it") from None
        # TF-TRT only logs that TensorRT failed, and runs the segment in TensorFlow from then on.
        if not path.stat().st_size:
            raise ConverterError(
                f"TensorRT built no engine for {name}: the log above says why; "
                "try a larger --workspace-mb, smaller --batch-sizes or --precision fp32"
            )
        resources[name] = trt_convert._TRTEngineResource(name, str(path), maximum_cached_engines)
    return resources
