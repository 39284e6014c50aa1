"""The dry run's process, in its own environment; request and reply are JSON."""

import ctypes
import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

from converter.errors import ConverterError


def main() -> None:
    """Write ``{"engines", "notes", "tensorflow", "tensorrt"}``, or ``{"error"}`` with a message, to the reply file."""
    request = json.loads(sys.argv[1])
    try:
        reply = _convert(request)
    except ConverterError as error:
        reply = {"error": str(error)}
    Path(request["reply"]).write_text(json.dumps(reply))


def _convert(request: Dict[str, Any]) -> Dict[str, Any]:
    try:
        # TensorFlow aborts the process if it needs TensorRT and does not find it.
        ctypes.CDLL("libnvinfer.so.8")
    except OSError as error:
        raise ConverterError(f"the dry run's TensorRT cannot be loaded ({error}): remove {sys.prefix}") from None
    import tensorflow as tf
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as tensorrt
    from tensorflow.python.compiler.tensorrt import trt_convert

    from converter.targets.tf_trt.engines import MINIMUM_SEGMENT_SIZE, summarize_engines
    from converter.targets.tf_trt.rewrites import rewrite_saved_model

    size = request["image_size"]
    notes = rewrite_saved_model(
        Path(request["source"]), Path(request["rewritten"]), request["signature"], size and tuple(size)
    )
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=request["rewritten"],
        conversion_params=trt_convert.TrtConversionParams(
            precision_mode=request["precision"].upper(),
            max_workspace_size_bytes=request["workspace_mb"] << 20,
            minimum_segment_size=MINIMUM_SEGMENT_SIZE,
            use_calibration=False,  # it would run the engines; the segments are the same
        ),
    )
    # All that converting needs of a GPU is that a new tensor is on one. Not restored: this process converts one graph.
    trt_convert.array_ops = SimpleNamespace(zeros=lambda shape: SimpleNamespace(device="/device:GPU:0"))
    function = converter.convert()
    sys.stderr.flush()
    summary = summarize_engines(function.graph.as_graph_def(), Path(request["log"]).read_text(errors="replace"))
    return {
        "engines": dataclasses.asdict(summary),
        "notes": notes,
        "tensorflow": tf.__version__,
        "tensorrt": ".".join(str(part) for part in tensorrt.get_loaded_tensorrt_version()),
    }


if __name__ == "__main__":
    main()
