"""What a segmentation can be asked for: the query string of ``POST /segment`` and ``POST /segment/batch``."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

import contract
from gateway.errors import InvalidParameter

Output = Literal["mask", "color", "overlay", "json"]
ImageFormat = Literal["png", "jpeg", "webp"]
Size = Literal["original", "model"]
Rle = Literal["runs", "coco", "cvat", "labelstudio"]

_DEFAULT_FORMAT: dict[Output, ImageFormat] = {"mask": "png", "color": "png", "overlay": "jpeg"}

# Parameters that mean something for one output alone.
_BELONGS_TO: dict[str, Output] = {"alpha": "overlay", "rle": "json", "polygons": "json"}


class SegmentParameters(BaseModel):
    """What ``POST /segment`` can be asked for; :meth:`check` holds the parameters against each other."""

    model: Annotated[
        str | None, Field(min_length=1, description="A name from `/models`. Default: the default model.")
    ] = None
    version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**63 - 1,
            description="A version from `/models/{model}`. Default: the one with the gateway's default label, else the "
            "newest loaded.",
        ),
    ] = None
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            description="A version by its label in serving, instead of `version`.",
            examples=["stable"],
        ),
    ] = None
    output: Annotated[
        Output,
        Field(
            description="`mask`: an indexed PNG; pixel value = class id, palette = class colours, 255 = ignored and "
            "transparent, class names as JSON in the text chunk `segstack-classes`. `color`: class colours as RGB. "
            "`overlay`: the photo with class colours laid over it. `json`: area, box and runs of each class."
        ),
    ] = "mask"
    format: Annotated[
        ImageFormat | None,
        Field(
            description="Default: `png` for mask and color, `jpeg` for overlay. A mask is PNG only: JPEG would blur "
            "class ids, WebP has no palette for them. `webp` is lossless for color. `json` has no format."
        ),
    ] = None
    alpha: Annotated[
        float, Field(ge=0, le=1, description="Overlay only: opacity of the colours, 0 to 1.", examples=[0.5])
    ] = 0.5
    size: Annotated[
        Size, Field(description="`original`: as large as the image sent. `model`: as large as the model's input.")
    ] = "original"
    classes: Annotated[
        str | None,
        Field(
            description="Names or ids to keep, separated by commas; all else becomes 255, ignored.",
            examples=["person,car"],
        ),
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Pixels whose class is less probable than this, 0 to 1, become 255, ignored. The model tells "
            "probabilities apart in steps of 1/255.",
            examples=[0.8],
        ),
    ] = None
    rle: Annotated[
        Rle,
        Field(
            description="JSON only: how `classes[].rle` is written. `runs`: start, length, … row by row. `coco`: "
            "compressed, as pycocotools reads it. `cvat`: as CVAT's mask shapes are. `labelstudio`: as Label Studio's "
            "brush is."
        ),
    ] = "runs"
    polygons: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            description="JSON only: adds `classes[].polygons`. 0 follows every pixel's edge; more leaves out points, "
            "as long as the outline moves by at most so many pixels.",
            examples=[1.5],
        ),
    ] = None

    def check(self) -> None:
        """Refuse what each parameter allows and two together do not.

        Raises:
            InvalidParameter: names the parameter, and the one to use instead.
        """
        for name, output in _BELONGS_TO.items():
            if name in self.model_fields_set and self.output != output:
                raise InvalidParameter(
                    f"{name} has no effect on output={self.output}; use output={output}, or leave {name} out",
                    parameter=name,
                )
        if self.version is not None and self.label is not None:
            raise InvalidParameter(
                f"version={self.version} and label={self.label} are both given; give the one that should decide",
                parameter="label",
            )
        if self.output == "json" and self.format:
            raise InvalidParameter(
                f"format={self.format}: output=json is no image; leave format out", parameter="format"
            )
        if self.output == "mask" and self.format not in (None, "png"):
            why = "JPEG blurs class ids into others" if self.format == "jpeg" else "WebP has no palette of classes"
            raise InvalidParameter(
                f"format={self.format}: {why}, so a mask is PNG only; use format=png, or output=color",
                parameter="format",
            )

    @property
    def signature(self) -> str:
        """The contract's signature that has what the reply is made of."""
        return contract.SERVING_DEFAULT if self.min_confidence is None else contract.SCORES

    @property
    def image_format(self) -> ImageFormat | None:
        """The format of the reply's image; None for JSON."""
        return self.format or _DEFAULT_FORMAT.get(self.output)

    @property
    def extension(self) -> str:
        """Of a file that holds the reply, without its dot."""
        return {"png": "png", "jpeg": "jpg", "webp": "webp", None: "json"}[self.image_format]
