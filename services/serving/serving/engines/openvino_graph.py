"""A SavedModel's signatures as OpenVINO models, and the outputs that are computed outside of OpenVINO."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import loader_impl

from serving.engines.upsampled_argmax import is_power_of_two, upsampled_argmax

# The only signature that OpenVINO reads.
_READ = "serving_default"


@contextmanager
def reader(path: Path) -> Iterator["Reader"]:
    """A :class:`Reader` of the SavedModel in ``path``."""
    with tempfile.TemporaryDirectory(prefix="segstack-openvino-") as folder:
        yield Reader(path, Path(folder))


class Reader:
    """Reads the signatures, one by one, of the SavedModel in ``path``; ``scratch`` is an empty folder.

    OpenVINO's reader reads only ``serving_default``, so each signature is given to it under that name, in a copy of the
    graph with links to the variables. (``openvino.convert_model`` reads any signature, but it loads the model with
    TensorFlow once more, and sends usage statistics.)
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._scratch = scratch
        self._core = ov.Core()
        saved_model = loader_impl.parse_saved_model(str(path))
        self._saved_model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
        served = next(graph for graph in saved_model.meta_graphs if "serve" in graph.meta_info_def.tags)
        self._saved_model.meta_graphs.add().CopyFrom(served)
        self._signatures = dict(served.signature_def)
        for folder in ("variables", "assets"):
            if (path / folder).is_dir():
                (scratch / folder).symlink_to((path / folder).resolve())

    def read(self, name: str) -> ov.Model:
        """The signature ``name``; inputs and outputs carry its aliases.

        Raises:
            RuntimeError: OpenVINO cannot read it.
        """
        definitions = self._saved_model.meta_graphs[0].signature_def
        definitions.clear()
        definitions[_READ].CopyFrom(self._signatures[name])
        (self._scratch / "saved_model.pb").write_bytes(self._saved_model.SerializeToString())
        return self._core.read_model(self._scratch)


@dataclass(frozen=True)
class UpsampledArgmax:
    """An output that ends in resize and argmax, which are computed outside of OpenVINO from the logits."""

    factor: int
    dtype: np.dtype[Any]

    def __call__(self, logits: NDArray[np.float32]) -> NDArray[Any]:
        """The output, [N, H, W], from logits [N, H / factor, W / factor, C]."""
        return upsampled_argmax(logits, self.factor).astype(self.dtype, copy=False)


def without_tails(model: ov.Model) -> tuple[ov.Model, Mapping[str, UpsampledArgmax]]:
    """``model`` with logits in place of every argmax of upsampled logits; and these removed ends, by alias."""
    tails: dict[str, UpsampledArgmax] = {}
    results = []
    for output in model.outputs:
        (alias,) = output.get_names()
        result = output.get_node()
        resize = _resize_under_argmax(result.input_value(0))
        if resize is None:
            results.append(result)
            continue
        logits = resize.input_value(0)
        factor = resize.get_output_partial_shape(0)[1].get_length() // logits.get_partial_shape()[1].get_length()
        tails[alias] = UpsampledArgmax(factor, output.get_element_type().to_dtype())
        kept = ov.opset8.result(logits)
        kept.output(0).get_tensor().set_names({alias})
        results.append(kept)
    return ov.Model(results, model.get_parameters(), model.get_friendly_name()), tails


def _resize_under_argmax(output: Any) -> Any:
    """The resize whose argmax over the last axis ``output`` is, when it is one that upsampled_argmax does; or None."""
    while output.get_node().get_type_name() in ("Convert", "Squeeze"):
        output = output.get_node().input_value(0)
    argmax = output.get_node()
    if argmax.get_type_name() != "TopK" or output.get_index() != 1:
        return None
    chosen = argmax.get_attributes()
    if chosen["mode"] != "max" or chosen["axis"] not in (-1, 3) or argmax.get_output_partial_shape(1)[-1] != 1:
        return None
    resize = argmax.input_value(0).get_node()
    return resize if resize.get_type_name() == "Interpolate" and _is_exact_upsampling(resize) else None


def _is_exact_upsampling(resize: Any) -> bool:
    """Whether an Interpolate is bilinear with half-pixel centres, by one power of two, of float32 [N, h, w, C]."""
    attributes = resize.get_attributes()
    source, target = resize.input_value(0).get_partial_shape(), resize.get_output_partial_shape(0)
    if source.rank != 4 or any(shape[axis].is_dynamic for shape in (source, target) for axis in (1, 2, 3)):
        return False
    h, w, classes = (source[axis].get_length() for axis in (1, 2, 3))
    height, width = target[1].get_length(), target[2].get_length()
    return (
        resize.input_value(0).get_element_type() == ov.Type.f32
        and attributes["mode"] in ("linear", "linear_onnx")
        and attributes["coordinate_transformation_mode"] == "half_pixel"
        and not attributes["antialias"]
        and not any(attributes["pads_begin"] + attributes["pads_end"])
        and target[3].get_length() == classes <= 256
        and is_power_of_two(height // h)
        and (height, width) == (h * (height // h), w * (height // h))
    )
