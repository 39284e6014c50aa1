"""What a segmentation can be asked for, as keyword arguments and as the gateway's query string."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

Output = Literal["mask", "color", "overlay", "json"]


class SegmentOptions(TypedDict, total=False):
    """All may be left out.

    Attributes:
        model: default: the gateway's default model.
        version: default: the one with the gateway's default label, else the newest loaded.
        label: a version by its label, instead of ``version``.
        classes: names or ids to keep; all else becomes the ignore id.
        min_confidence: pixels whose class is less probable, 0 to 1, become the ignore id.
        size: of the mask: ``original``, the image's, or ``model``, that of the model's input, which is quicker.
    """

    model: str
    version: int
    label: str
    classes: Sequence[str | int]
    min_confidence: float
    size: Literal["original", "model"]


class RenderOptions(SegmentOptions, total=False):
    """And for encoded replies.

    Attributes:
        format: ``png``, ``jpeg`` or ``webp`` of color and overlay.
        alpha: of an overlay, 0 to 1.
        rle: of JSON: ``runs``, ``coco``, ``cvat`` or ``labelstudio``.
        polygons: of JSON: adds outlines, exact to that many pixels.
    """

    format: Literal["png", "jpeg", "webp"]
    alpha: float
    rle: Literal["runs", "coco", "cvat", "labelstudio"]
    polygons: float


class StreamOptions(TypedDict, total=False):
    """What a stream can be asked for; as in :class:`SegmentOptions`."""

    model: str
    version: int
    label: str
    classes: Sequence[str | int]
    min_confidence: float


def query(output: Output, options: RenderOptions) -> dict[str, str]:
    """The query string of ``POST /segment``; None counts as left out."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "classes" in given:
        given["classes"] = ",".join(map(str, given["classes"]))
    return {"output": output, **{name: str(value) for name, value in given.items()}}
