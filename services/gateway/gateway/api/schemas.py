"""The schemas of replies, as OpenAPI shows them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ErrorBody(BaseModel):
    """What was wrong, what was expected and what to do."""

    code: Annotated[str, Field(description="For programs; does not change between versions.")]
    message: Annotated[str, Field(description="Human-readable.")]
    detail: Annotated[dict[str, Any], Field(description="The values in the message; which ones depends on the code.")]


class ErrorReply(BaseModel):
    """Every error, of any status."""

    error: ErrorBody


class ClassSummary(BaseModel):
    """One class of a model."""

    id: Annotated[int, Field(description="The pixel value in masks.", examples=[1])]
    name: Annotated[str, Field(examples=["car"])]
    color: Annotated[tuple[int, int, int], Field(description="Red, green, blue, 0 to 255.", examples=[[220, 60, 60]])]
    background: Annotated[bool, Field(description="True for a class 0 named background: overlays do not paint it.")]


class CocoRle(BaseModel):
    """COCO's compressed run-length encoding, column by column."""

    size: Annotated[tuple[int, int], Field(description="Height, width.", examples=[[480, 640]])]
    counts: Annotated[str, Field(examples=["PPYo1"])]


class ClassRegion(ClassSummary):
    """Where one class is in the image."""

    pixels: Annotated[int, Field(examples=[5120])]
    area: Annotated[float, Field(description="Fraction of all pixels, 0 to 1.", examples=[0.0167])]
    bounding_box: Annotated[
        tuple[int, int, int, int], Field(description="x, y, width, height in pixels.", examples=[[12, 40, 96, 64]])
    ]
    rle: Annotated[
        list[int] | CocoRle,
        Field(
            description="In the notation that `rle` selects. `runs`: start, length, start, length, … A start is the "
            "zero-based pixel index y * width + x; starts ascend; a run may continue over the end of a row. In NumPy: "
            "`mask.reshape(-1)[start : start + length] = id`. `coco`: for pycocotools.mask.decode. `cvat`: the "
            "`points` of a shape of type mask, for cvat_sdk.masks.decode_mask. `labelstudio`: the `rle` of a brush "
            "with `format: rle`, for label_studio_sdk.converter.brush.decode_rle.",
            examples=[[412, 3, 1052, 5]],
        ),
    ]
    polygons: Annotated[
        list[list[list[tuple[int, int]]]] | None,
        Field(
            description="If `polygons` is given. One polygon for each connected component: its outline, then its "
            "holes, each a list of x, y. They follow the pixels' edges, so one pixel is a square of four points; fill "
            "them by the even-odd rule.",
            examples=[[[[[12, 40], [108, 40], [108, 104], [12, 104]]]]],
        ),
    ] = None


class Segmentation(BaseModel):
    """``form=json``: the classes present, by id. All other pixels are ignored (255)."""

    model: Annotated[str, Field(examples=["shapes"])]
    version: Annotated[int, Field(examples=[1])]
    width: Annotated[int, Field(description="Of the mask, in pixels.", examples=[640])]
    height: Annotated[int, Field(description="Of the mask, in pixels.", examples=[480])]
    ignore_id: Annotated[int, Field(examples=[255])]
    classes: list[ClassRegion]


class BatchImage(BaseModel):
    """The outcome for one image of a batch."""

    file: Annotated[str, Field(description="Its name as sent.", examples=["photo.jpg"])]
    entry: Annotated[str, Field(description="The name of its result in the zip.", examples=["photo.png"])]
    status: Annotated[int, Field(description="The status that `/segment` would have returned.", examples=[200])]
    model: Annotated[str | None, Field(description="The model that answered; null for an error.", examples=["shapes"])]
    version: Annotated[int | None, Field(examples=[1])]


class BatchManifest(BaseModel):
    """``manifest.json``, the last entry of a zip: the images in the order in which they were sent."""

    images: list[BatchImage]


class ModelList(BaseModel):
    """The models configured, loaded or not."""

    default: Annotated[
        str | None, Field(description="The model that answers requests without `model`; null if there is none.")
    ]
    models: list[str]

    model_config = ConfigDict(json_schema_extra={"examples": [{"default": "shapes", "models": ["shapes", "road"]}]})


class VersionState(BaseModel):
    """One version as serving reports it."""

    version: Annotated[int, Field(examples=[3])]
    state: Annotated[
        str,
        Field(
            description="START, LOADING, AVAILABLE, UNLOADING or END; only AVAILABLE versions answer.",
            examples=["AVAILABLE"],
        ),
    ]
    error: Annotated[str, Field(description="Why it failed to load; else empty.", examples=[""])]
    labels: Annotated[
        list[str],
        Field(description="Its labels in models.config, for `label`.", examples=[["stable"]]),
    ]


class Quality(BaseModel):
    """The model's metrics at export; intersection over union, 0 to 1."""

    miou: Annotated[float, Field(examples=[0.86])]
    per_class_iou: Annotated[
        dict[str, float | None],
        Field(description="null: the class is in neither labels nor predictions.", examples=[{"car": 0.91}]),
    ]
    split: Annotated[str, Field(examples=["test"])]
    images: Annotated[int, Field(examples=[60])]


class ModelReply(BaseModel):
    """A model: its versions, and the card of the version that answers by default."""

    name: Annotated[str, Field(examples=["shapes"])]
    version: Annotated[
        int,
        Field(
            description="The version that answers requests without `version`; the other fields describe it.",
            examples=[3],
        ),
    ]
    label: Annotated[
        str | None,
        Field(description="GATEWAY_DEFAULT_LABEL, if that selects it; null: it is the newest.", examples=[None]),
    ]
    versions: Annotated[list[VersionState], Field(description="Newest first.")]
    architecture: Annotated[str, Field(examples=["ddrnet23_slim"])]
    input_width: Annotated[int, Field(examples=[256])]
    input_height: Annotated[int, Field(examples=[256])]
    ignore_id: Annotated[int, Field(examples=[255])]
    classes: list[ClassSummary]
    metrics: Quality | None
    precision: Annotated[str, Field(examples=["fp32"])]
    parameters: Annotated[int | None, Field(examples=[5_695_987])]
    flops: Annotated[
        int | None, Field(description="For one image; a multiply-add counts as two.", examples=[4_500_000_000])
    ]
    derived_from: Annotated[
        str | None, Field(description="The name:version that it was converted from.", examples=[None])
    ]
    created_at: str | None


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The default model answers."""

    status: Literal["ready"] = "ready"
    model: Annotated[str, Field(examples=["shapes"])]
    version: Annotated[int, Field(description="The version that answers requests without `version`.", examples=[3])]
