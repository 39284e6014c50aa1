"""Every rewrite, as an operation has it and as it is rewritten: the same values, in operations that TensorRT takes.

``rewritten.py`` beside this file has the cases and runs them; here under our TensorFlow, and under the converter's.
"""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("rewritten.py")
CASES = runpy.run_path(str(SCRIPT))["CASES"]

# Operations that TF-TRT takes as they are: of 2.6.2 with TensorRT 7.2.2 in its source, of 2.14.1 as it ran.
TAKEN = {
    "AddV2", "ArgMax", "ArgMin", "AvgPool", "BiasAdd", "Conv2D", "DepthwiseConv2dNative", "Mean", "Mul", "Pad", "Relu",
    "Reshape", "ResizeNearestNeighbor", "Sigmoid", "Sub", "Transpose",
}  # fmt: skip
AROUND = {"Const", "Placeholder", "Identity", "Cast"}
# What cannot be rewritten, and slices that the case itself has.
REST = {
    "bilinear of an open size": {"ResizeBilinear"},
    "bilinear with aligned corners": {"ResizeBilinear"},
    "bilinear twice, read twice": {"StridedSlice"},
    "uint8 pixels turned before they are cast": {"StridedSlice"},
    "classes reshaped after they are cast": {"StridedSlice"},
}
NOTES = {
    "bilinear by 8": ["1 half-pixel ResizeBilinear → taps"],
    "bilinear by 3, odd": ["1 half-pixel ResizeBilinear → taps"],
    "bilinear by 7.5 and 8": ["1 half-pixel ResizeBilinear → matrices and taps"],
    "bilinear by odd sizes": ["1 half-pixel ResizeBilinear → matrices"],
    "bilinear by 41": ["1 half-pixel ResizeBilinear → matrices"],
    "nearest by 41": ["1 half-pixel ResizeNearestNeighbor → matrices"],
    "bilinear by 1x1": ["1 half-pixel ResizeBilinear → broadcast"],
    "bilinear of an open size": ["1 ResizeBilinear left as it is: its size is not known before the graph runs"],
    "bilinear with aligned corners": [],
    "bilinear to the size of another image": [
        "2 size computed from a shape → constant",
        "1 half-pixel ResizeBilinear → taps",
    ],
    "squeeze-excite with a dynamic reshape": ["1 dynamic Reshape → constant"],
    "argmin to int64": ["1 ArgMin to int64 → int32"],
    "argmax to int64, cast": ["1 ArgMax to int64 → int32"],
    "depthwise (3, 3) dilated by (6, 6), SAME": ["1 dilated DepthwiseConv2dNative → its phases side by side"],
    "convolutions with explicit padding": [
        "1 Conv2D with explicit padding → Pad, and without",
        "1 DepthwiseConv2dNative with explicit padding → Pad, and without",
    ],
    "uint8 pixels turned before they are cast": ["1 uint8 Cast → before what only moves its values"],
}


@pytest.fixture(scope="module")
def ours():
    run = runpy.run_path(str(SCRIPT))["run"]
    return {name: run(*parts) for name, parts in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_values_are_the_same_for_one_image_and_for_four(ours, name: str) -> None:
    assert ours[name]["same"], "shape or dtype changed"
    assert ours[name]["difference"] <= 1e-6 * max(1, ours[name]["largest"])
    assert ours[name]["largest"] > 0


@pytest.mark.parametrize("name", CASES)
def test_tensorrt_takes_what_is_left(ours, name: str) -> None:
    assert set(ours[name]["left"]) <= TAKEN | AROUND | REST.get(name, set())


@pytest.mark.parametrize("name", NOTES)
def test_the_notes_say_what_was_done(ours, name: str) -> None:
    assert ours[name]["notes"] == NOTES[name]


def test_argmax_ends_in_the_cast_that_was_there(ours) -> None:
    """And not in one to int64 with another behind it."""
    assert ours["argmax to int64, cast"]["left"].count("Cast") == 1


@pytest.mark.other_python
@pytest.mark.timeout(900)
def test_the_same_in_the_converters_tensorflow(run_python38) -> None:
    result = run_python38(str(SCRIPT))
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["tensorflow"] == "2.6.2"
    assert answer["cases"].keys() == CASES.keys()
    for name, found in answer["cases"].items():
        assert found["same"], name
        assert found["difference"] <= 1e-6 * max(1, found["largest"]), name
        assert set(found["left"]) <= TAKEN | AROUND | REST.get(name, set()), name
        assert found["notes"] == NOTES.get(name, found["notes"])
