"""The conversion without a GPU, which building engines needs: a fake TF-TRT records its calls."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from contract import signatures
from converter import images
from converter.arguments import parse
from converter.errors import ConverterError
from converter.interface import interface_of
from converter.targets.tf_trt import conversion
from converter.targets.tf_trt.conversion import blank_batches, calibration_batches


@pytest.fixture
def interface(card):
    return interface_of("tiny", signatures(card), None)


def shapes(batches):
    return [(batch.shape, str(batch.dtype)) for (batch,) in batches]


@pytest.mark.parametrize("batch_sizes", [(1, 4), (4, 1)])
def test_engines_are_built_in_ascending_batch_size(interface, batch_sizes) -> None:
    found = shapes(blank_batches(batch_sizes, interface))
    assert found == [((1, 32, 48, 3), "uint8"), ((4, 32, 48, 3), "uint8")]


def test_int8_is_calibrated_on_batches_of_one_shape(interface, photographs: Path) -> None:
    found = shapes(calibration_batches(images.Images("photographs", tuple(photographs.iterdir())), interface))
    assert found == [((1, 32, 48, 3), "uint8")] * 6


class FakeTfTrt:
    """Replaces TrtGraphConverterV2; ``engine`` are the bytes of the serialized engine that it builds."""

    def __init__(self, monkeypatch, engine=b"engine", op="TRTEngineOp"):
        self.calls = []
        self.engine = engine
        self.graph = self  # of the function that convert() returns, which is this object too
        self.definition = GraphDef()
        self.definition.node.add(name="TRTEngineOp_0_0", op=op)
        monkeypatch.setattr(conversion.trt_convert, "TrtGraphConverterV2", self.created)
        monkeypatch.setattr(conversion.trt_convert, "TrtConversionParams", dict, raising=False)
        monkeypatch.setattr(conversion.trt_convert, "_TRTEngineResource", lambda *arguments: arguments, raising=False)
        monkeypatch.setattr(conversion.gen_trt_ops, "serialize_trt_resource", self.serialize, raising=False)

    def created(self, **arguments):
        self.arguments = arguments
        return self

    def convert(self, calibration_input_fn=None):
        self.calls.append(("convert", calibration_input_fn and len(list(calibration_input_fn()))))
        return self

    def build(self, input_fn):
        self.calls.append(("build", [len(batch) for (batch,) in input_fn()]))

    def as_graph_def(self):
        return self.definition

    def serialize(self, resource_name, filename, delete_resource):
        if self.engine is None:
            raise tf.errors.NotFoundError(None, None, "no such resource")
        Path(filename).write_bytes(self.engine)


@pytest.fixture
def convert(models_root: Path, photographs: Path, interface, tmp_path: Path):
    def run(*words):
        options = parse([str(models_root / "tiny"), *words])
        _, calibration = images.choose(options)
        return conversion.with_tensorrt(options, interface, Path("rewritten"), tmp_path, calibration)

    return run


def test_builds_an_engine_for_every_batch_size(convert, monkeypatch, tmp_path) -> None:
    tf_trt = FakeTfTrt(monkeypatch)
    converted = convert("--batch-sizes", "1", "4", "--workspace-mb", "512")
    assert tf_trt.arguments["input_saved_model_dir"] == "rewritten"
    assert tf_trt.arguments["conversion_params"] == {
        "precision_mode": "FP16",
        "max_workspace_size_bytes": 512 << 20,
        "minimum_segment_size": 3,
        "maximum_cached_engines": 2,
    }
    assert tf_trt.calls == [("convert", None), ("build", [1, 4])]
    path = tmp_path / "trt-serialized-engine.TRTEngineOp_0_0"
    assert converted.resources == {"TRTEngineOp_0_0": ("TRTEngineOp_0_0", str(path), 2)}
    assert [engine["name"] for engine in converted.engines.engines] == ["TRTEngineOp_0_0"]


def test_int8_is_calibrated_before_engines_are_built(convert, monkeypatch, photographs: Path) -> None:
    tf_trt = FakeTfTrt(monkeypatch)
    convert("--precision", "int8", "--calibration-data", str(photographs))
    assert tf_trt.arguments["conversion_params"]["precision_mode"] == "INT8"
    assert tf_trt.calls == [("convert", 3), ("build", [1])]  # the other three are compared on


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"op": "Conv2D"}, "TensorRT takes no part of tiny: serve the source"),
        ({"engine": b""}, "TensorRT built no engine for TRTEngineOp_0_0.* try a larger --workspace-mb"),
        ({"engine": None}, "TRTEngineOp_0_0 was never run"),
    ],
)
def test_missing_engine_is_refused(convert, monkeypatch, made, message) -> None:
    FakeTfTrt(monkeypatch, **made)
    with pytest.raises(ConverterError, match=message):
        convert()
