"""The dry run's own process, in its own environment: question and answer are JSON."""

import ctypes
import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict
from unittest import mock

from converter.errors import ConverterError


def main() -> None:
    """Answer ``{"engines", "notes", "tensorflow", "tensorrt"}``, or ``{"error"}`` with a sentence, in a file."""
    question = json.loads(sys.argv[1])
    try:
        answer = _convert(question)
    except ConverterError as error:
        answer = {"error": str(error)}
    Path(question["answer"]).write_text(json.dumps(answer))


def _convert(question: Dict[str, Any]) -> Dict[str, Any]:
    try:
        # TensorFlow aborts the process where it looks for TensorRT and it is not there.
        ctypes.CDLL("libnvinfer.so.8")
    except OSError as error:
        raise ConverterError(f"the dry run's TensorRT cannot be loaded ({error}): remove {sys.prefix}") from None
    import tensorflow as tf
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as tensorrt
    from tensorflow.python.compiler.tensorrt import trt_convert

    from converter.targets.tf_trt import engines, rewrites
    from converter.targets.tf_trt.conversion import MINIMUM_SEGMENT_SIZE

    size = question["image_size"]
    notes = rewrites.rewrite_saved_model(
        Path(question["source"]), Path(question["rewritten"]), question["signature"], size and tuple(size)
    ).notes
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=question["rewritten"],
        conversion_params=trt_convert.TrtConversionParams(
            precision_mode=question["precision"].upper(),
            max_workspace_size_bytes=question["workspace_mb"] << 20,
            minimum_segment_size=MINIMUM_SEGMENT_SIZE,
            use_calibration=False,  # it would run the engines; the cut is the same
        ),
    )
    # Its only question to the machine before it optimises the graph is which device a new tensor is on.
    on_gpu = SimpleNamespace(zeros=lambda shape: SimpleNamespace(device="/device:GPU:0"))
    with mock.patch.object(trt_convert, "array_ops", on_gpu):
        function = converter.convert()
    sys.stderr.flush()
    found = engines.summary(function.graph.as_graph_def(), Path(question["log"]).read_text(errors="replace"))
    return {
        "engines": dataclasses.asdict(found),
        "notes": notes,
        "tensorflow": tf.__version__,
        "tensorrt": ".".join(str(part) for part in tensorrt.get_loaded_tensorrt_version()),
    }


if __name__ == "__main__":
    main()
