"""The parameters of a segmentation, as keyword arguments and as the gateway's query string."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

# How a result looks.
Form = Literal["mask", "color", "overlay", "json"]


class SegmentParameters(TypedDict, total=False):
    """All are optional.

    Attributes:
        model: default: the gateway's default model.
        version: default: the version with the gateway's default label, else the newest loaded one.
        label: a version by its label, instead of ``version``.
        classes: names or ids to keep; all other classes become the ignore id.
        min_confidence: pixels whose class is less probable, 0 to 1, become the ignore id.
        size: of the mask: ``original``, the image's size, or ``model``, the model's input size, which is faster.
    """

    model: str
    version: int
    label: str
    classes: Sequence[str | int]
    min_confidence: float
    size: Literal["original", "model"]


class RenderParameters(SegmentParameters, total=False):
    """For encoded replies, in addition.

    Attributes:
        format: ``png``, ``jpeg`` or ``webp``, of color and overlay.
        alpha: opacity of an overlay, 0 to 1.
        rle: of JSON: ``runs``, ``coco``, ``cvat`` or ``labelstudio``.
        polygons: of JSON: add outlines, accurate to this many pixels.
    """

    format: Literal["png", "jpeg", "webp"]
    alpha: float
    rle: Literal["runs", "coco", "cvat", "labelstudio"]
    polygons: float


class StreamParameters(TypedDict, total=False):
    """The parameters of a stream; see :class:`SegmentParameters`."""

    model: str
    version: int
    label: str
    classes: Sequence[str | int]
    min_confidence: float


def query(form: Form, parameters: RenderParameters) -> dict[str, str]:
    """The query string of ``POST /segment``; None counts as not given."""
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value is not None}
    if "classes" in given:
        given["classes"] = ",".join(map(str, given["classes"]))
    return {"form": form, **{name: str(value) for name, value in given.items()}}
