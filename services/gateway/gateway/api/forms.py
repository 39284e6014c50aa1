"""The forms in which a segmentation is returned: what ``form`` accepts, and what each of them allows.

This is the public side of a form; :mod:`gateway.results.outputs` has the function that writes it. Parameters, their
checks, the API reference and the extensions of a batch's files follow from :data:`FORMS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import contract
from gateway.api.reply_docs import BINARY, segmentation_examples

Form = Literal["mask", "color", "overlay", "json"]
ImageFormat = Literal["png", "jpeg", "webp"]

_EXTENSIONS: dict[ImageFormat, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True)
class FormSpec:
    """The public side of one form.

    Attributes:
        description: for the API reference.
        formats: image formats it can be written in, the default first; empty if it is not an image.
        refusals: why it cannot be written in the other formats.
        options: parameters that have an effect with this form only.
        signature: of the contract, whose outputs it is made of.
        media_type: if it is not an image.
        extension: of a file that holds it, without the dot, if it is not an image.
        examples: of replies, in OpenAPI's form, if they are text.
    """

    description: str
    formats: tuple[ImageFormat, ...] = ()
    refusals: Mapping[ImageFormat, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    signature: str = contract.SERVING_DEFAULT
    media_type: str = ""
    extension: str = ""
    examples: Mapping[str, Any] = field(default_factory=dict)

    def media_type_of(self, image_format: ImageFormat | None) -> str:
        """The reply's media type when written in that format."""
        return f"image/{image_format}" if image_format else self.media_type

    def extension_of(self, image_format: ImageFormat | None) -> str:
        """The extension of a file that holds the reply, without the dot."""
        return _EXTENSIONS[image_format] if image_format else self.extension


FORMS: dict[Form, FormSpec] = {
    "mask": FormSpec(
        "an indexed PNG; pixel value = class id, palette = class colours, 255 = ignored and transparent, class names "
        "as JSON in the text chunk `segstack-classes`.",
        formats=("png",),
        refusals={
            "jpeg": "JPEG blurs class ids into others, so a mask is PNG only",
            "webp": "WebP has no palette of classes, so a mask is PNG only",
        },
    ),
    "color": FormSpec("class colours as RGB.", formats=("png", "jpeg", "webp")),
    "overlay": FormSpec(
        "the photo with class colours blended in.", formats=("jpeg", "png", "webp"), options=("alpha",)
    ),
    "json": FormSpec(
        "area, bounding box and runs of each class.",
        options=("rle", "polygons"),
        media_type="application/json",
        extension="json",
        examples=segmentation_examples(),
    ),
}


def reply_content() -> dict[str, Any]:
    """The ``content`` of a segmentation's reply in OpenAPI: every media type that some form can have."""
    content: dict[str, Any] = {}
    for spec in FORMS.values():
        for image_format in spec.formats:
            content[spec.media_type_of(image_format)] = BINARY
        if not spec.formats:
            content[spec.media_type] = {"examples": spec.examples} if spec.examples else BINARY
    return content
