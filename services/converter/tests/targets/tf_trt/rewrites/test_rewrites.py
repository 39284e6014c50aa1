"""Every rewrite: the same values as the original operation, in operations that TensorRT takes.

``rewrite_cases.py`` has the cases and runs them, under our TensorFlow and under the converter's.
"""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("rewrite_cases.py")
CASES = runpy.run_path(str(SCRIPT))["CASES"]

# Operations that TF-TRT takes: for 2.6.2 with TensorRT 7.2.2 by its source, for 2.14.1 as observed.
TAKEN = {
    "AddV2", "ArgMax", "ArgMin", "AvgPool", "BiasAdd", "Conv2D", "DepthwiseConv2dNative", "Mean", "Mul", "Pad", "Relu",
    "Reshape", "ResizeNearestNeighbor", "Sigmoid", "Sub", "Transpose",
}  # fmt: skip
AROUND = {"Const", "Placeholder", "Identity", "Cast"}
# Operations that cannot be rewritten, and slices of the case itself.
UNCHANGED = {
    "bilinear of an open size": {"ResizeBilinear"},
    "bilinear with aligned corners": {"ResizeBilinear"},
    "bilinear twice, read twice": {"StridedSlice"},
    "uint8 pixels transposed before the cast": {"StridedSlice"},
    "classes reshaped after the cast": {"StridedSlice"},
}
NOTES = {
    "bilinear by 8": ["1 half-pixel ResizeBilinear → taps"],
    "bilinear by 3, odd": ["1 half-pixel ResizeBilinear → taps"],
    "bilinear by 7.5 and 8": ["1 half-pixel ResizeBilinear → matrices and taps"],
    "bilinear by odd sizes": ["1 half-pixel ResizeBilinear → matrices"],
    "bilinear by 41": ["1 half-pixel ResizeBilinear → matrices"],
    "nearest by 41": ["1 half-pixel ResizeNearestNeighbor → matrices"],
    "bilinear by 1x1": ["1 half-pixel ResizeBilinear → broadcast"],
    "bilinear of an open size": ["1 ResizeBilinear not rewritten: its size is not static"],
    "bilinear with aligned corners": [],
    "bilinear to the size of another image": [
        "2 size computed from a shape → constant",
        "1 half-pixel ResizeBilinear → taps",
    ],
    "squeeze-excite with a dynamic reshape": ["1 dynamic Reshape → constant"],
    "argmin to int64": ["1 ArgMin to int64 → int32"],
    "argmax to int64, cast": ["1 ArgMax to int64 → int32"],
    "depthwise (3, 3) dilated by (6, 6), SAME": ["1 dilated DepthwiseConv2dNative → its phases in one image"],
    "convolutions with explicit padding": [
        "1 Conv2D with explicit padding → Pad and VALID",
        "1 DepthwiseConv2dNative with explicit padding → Pad and VALID",
    ],
    "uint8 pixels transposed before the cast": ["1 uint8 Cast → before operations that only move values"],
}


@pytest.fixture(scope="module")
def ours():
    run = runpy.run_path(str(SCRIPT))["run"]
    return {name: run(*parts) for name, parts in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_rewritten_values_are_equal_for_batch_sizes_1_and_4(ours, name: str) -> None:
    assert ours[name]["same"], "shape or dtype changed"
    assert ours[name]["difference"] <= 1e-6 * max(1, ours[name]["largest"])
    assert ours[name]["largest"] > 0


@pytest.mark.parametrize("name", CASES)
def test_tensorrt_takes_the_remaining_operations(ours, name: str) -> None:
    assert set(ours[name]["left"]) <= TAKEN | AROUND | UNCHANGED.get(name, set())


@pytest.mark.parametrize("name", NOTES)
def test_notes_describe_the_rewrites(ours, name: str) -> None:
    assert ours[name]["notes"] == NOTES[name]


def test_argmax_reuses_the_existing_cast(ours) -> None:
    """Instead of adding one to int64 in front of it."""
    assert ours["argmax to int64, cast"]["left"].count("Cast") == 1


@pytest.mark.other_python
@pytest.mark.timeout(900)
def test_same_results_in_tensorflow_2_6_2(run_python38) -> None:
    result = run_python38(str(SCRIPT))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["tensorflow"] == "2.6.2"
    assert report["cases"].keys() == CASES.keys()
    for name, found in report["cases"].items():
        assert found["same"], name
        assert found["difference"] <= 1e-6 * max(1, found["largest"]), name
        assert set(found["left"]) <= TAKEN | AROUND | UNCHANGED.get(name, set()), name
        assert found["notes"] == NOTES.get(name, found["notes"])
