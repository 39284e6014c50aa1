"""The parameters of a segmentation: the query string of ``POST /segment`` and ``POST /segment/batch``."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

import contract
from gateway.api.forms import FORMS, Form, ImageFormat
from gateway.errors import InvalidParameter

# The name that `form` had before; still accepted.
OLD_NAME_OF_FORM = "output"
DEPRECATED_PARAMETERS: dict[str, Any] = {
    "parameters": [
        {
            "name": OLD_NAME_OF_FORM,
            "in": "query",
            "deprecated": True,
            "description": "The old name of `form`.",
            "schema": {"type": "string", "enum": list(FORMS)},
        }
    ]
}

Size = Literal["original", "model"]
Rle = Literal["runs", "coco", "cvat", "labelstudio"]

_FORMATS = ", ".join(f"`{spec.formats[0]}` for {name}" for name, spec in FORMS.items() if spec.formats)


class TakesForm(BaseModel):
    """Accepts ``output`` for ``form``."""

    @model_validator(mode="before")
    @classmethod
    def _rename_output(cls, given: Any) -> Any:
        """``output`` as ``form``.

        Raises:
            InvalidParameter: both are given, with different values.
        """
        if not isinstance(given, Mapping) or OLD_NAME_OF_FORM not in given:
            return given
        renamed = dict(given)
        old = renamed.pop(OLD_NAME_OF_FORM)
        if renamed.setdefault("form", old) != old:
            raise InvalidParameter(
                f"form={str(renamed['form'])[:40]} and output={str(old)[:40]} are both given; output is the old name "
                "of form, so leave it out",
                parameter=OLD_NAME_OF_FORM,
            )
        return renamed


class SegmentParameters(TakesForm):
    """The parameters of ``POST /segment``; :meth:`check` refuses combinations that contradict each other."""

    model: Annotated[
        str | None, Field(min_length=1, description="A name from `/models`. Default: the default model.")
    ] = None
    version: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**63 - 1,
            description="A version from `/models/{model}`. Default: the one with the gateway's default label, else the "
            "newest one loaded.",
        ),
    ] = None
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The label of a version in serving, instead of `version`.",
            examples=["stable"],
        ),
    ] = None
    form: Annotated[
        Form, Field(description=" ".join(f"`{name}`: {spec.description}" for name, spec in FORMS.items()))
    ] = "mask"
    format: Annotated[
        ImageFormat | None,
        Field(
            description=f"Of an image. Default: {_FORMATS}. A mask is PNG only: JPEG would blur class ids, WebP has no "
            "palette for them. `webp` is lossless for color."
        ),
    ] = None
    alpha: Annotated[
        float, Field(ge=0, le=1, description="Overlay only: opacity of the colours, 0 to 1.", examples=[0.5])
    ] = 0.5
    size: Annotated[
        Size, Field(description="`original`: the size of the image sent. `model`: the size of the model's input.")
    ] = "original"
    classes: Annotated[
        str | None,
        Field(
            description="Names or ids of the classes to keep, separated by commas; all others become 255, ignored.",
            examples=["person,car"],
        ),
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Pixels whose class is less probable than this, 0 to 1, become 255, ignored. The model's "
            "probabilities have steps of 1/255.",
            examples=[0.8],
        ),
    ] = None
    rle: Annotated[
        Rle,
        Field(
            description="JSON only: the notation of `classes[].rle`. `runs`: start, length, … row by row. `coco`: "
            "compressed, as pycocotools reads it. `cvat`: as in CVAT's mask shapes. `labelstudio`: as in Label "
            "Studio's brush."
        ),
    ] = "runs"
    polygons: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            description="JSON only: adds `classes[].polygons`. By how many pixels an outline may move so that it has "
            "fewer points; 0 follows every pixel's edge.",
            examples=[1.5],
        ),
    ] = None

    def check(self) -> None:
        """Refuse parameters that are valid alone and contradict each other.

        Raises:
            InvalidParameter: names the parameter, and the one to use instead.
        """
        spec = FORMS[self.form]
        for form, other in FORMS.items():
            for name in other.options:
                if name in self.model_fields_set and name not in spec.options:
                    raise InvalidParameter(
                        f"{name} has no effect on form={self.form}; use form={form}, or leave {name} out",
                        parameter=name,
                    )
        if self.version is not None and self.label is not None:
            raise InvalidParameter(
                f"version={self.version} and label={self.label} are both given; leave one of them out",
                parameter="label",
            )
        if self.format and not spec.formats:
            raise InvalidParameter(
                f"format={self.format}: form={self.form} is not an image; leave format out", parameter="format"
            )
        if self.format and self.format not in spec.formats:
            able = next(form for form, other in FORMS.items() if self.format in other.formats)
            raise InvalidParameter(
                f"format={self.format}: {spec.refusals[self.format]}; use format={spec.formats[0]}, or form={able}",
                parameter="format",
            )

    @property
    def signature(self) -> str:
        """The contract's signature whose outputs the reply needs."""
        return FORMS[self.form].signature if self.min_confidence is None else contract.SCORES

    @property
    def image_format(self) -> ImageFormat | None:
        """The format of the reply's image; None if the reply is not an image."""
        return self.format or next(iter(FORMS[self.form].formats), None)

    @property
    def media_type(self) -> str:
        """The reply's."""
        return FORMS[self.form].media_type_of(self.image_format)

    @property
    def extension(self) -> str:
        """Of a file that holds the reply, without its dot."""
        return FORMS[self.form].extension_of(self.image_format)
