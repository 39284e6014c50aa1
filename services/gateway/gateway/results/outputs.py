"""Encodes a mask for the client: bytes and their media type. Pure functions.

:data:`gateway.api.forms.FORMS` declares the forms, :data:`_ENCODERS` writes them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from isal import isal_zlib

from contract import ModelCard
from gateway.api.forms import Form, ImageFormat
from gateway.api.parameters import SegmentParameters
from gateway.errors import InvalidParameter
from gateway.imaging import images, masks, png
from gateway.imaging.images import Image
from gateway.imaging.masks import Mask
from gateway.imaging.palette import TEXT_KEY, Palette
from gateway.results import json_form
from gateway.serving_client.replies import Prediction, ServedModel


@dataclass(frozen=True)
class Encoded:
    """A reply's body, and the size in pixels of the mask that it shows."""

    body: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True)
class Segmented:
    """The input of every form's encoder.

    Attributes:
        photo: uint8 [h,w,3] RGB, as sent.
        mask: uint8 [H,W], of the size requested, with the classes requested.
        served: the version that computed it.
        palette: its classes.
        parameters: checked against each other.
    """

    photo: Image
    mask: Mask
    served: ServedModel
    palette: Palette
    parameters: SegmentParameters


def check(photo: Image, card: ModelCard, parameters: SegmentParameters) -> None:
    """Refuse before inference what :func:`encode` cannot write.

    Raises:
        InvalidParameter: a class the model lacks, or an image longer than its format can hold.
    """
    check_classes(card, parameters)
    kind = parameters.image_format
    height, width = photo.shape[:2] if parameters.size == "original" else (card.input_height, card.input_width)
    if kind is not None and max(height, width) > images.LONGEST_SIDE[kind]:
        raise InvalidParameter(
            f"format={kind} holds at most {images.LONGEST_SIDE[kind]} pixels a side and the reply would have "
            f"{width}x{height}; use format=png, or size=model",
            parameter="format",
        )


def check_classes(card: ModelCard, parameters: SegmentParameters) -> None:
    """Refuse classes that the model lacks.

    Raises:
        InvalidParameter: names those it has.
    """
    if parameters.classes is not None:
        Palette.of(card).select(parameters.classes)


def encode(photo: Image, prediction: Prediction, parameters: SegmentParameters) -> Encoded:
    """The reply to ``POST /segment``.

    Args:
        photo: uint8 [H,W,3], RGB, as sent.
        prediction: at the model's input size; with ``confidence`` where ``min_confidence`` needs it.
        parameters: checked against each other.

    Raises:
        InvalidParameter: as :func:`check`.
    """
    segmented = _select(photo, prediction, parameters)
    body = _ENCODERS[parameters.form](segmented)
    height, width = segmented.mask.shape
    return Encoded(body, parameters.media_type, width, height)


def encode_frame(photo: Image, prediction: Prediction, parameters: SegmentParameters) -> Encoded:
    """As :func:`encode`, but a mask is its rows of class ids, deflated (zlib): browsers inflate it into a texture."""
    if parameters.form != "mask":
        return encode(photo, prediction, parameters)
    mask = _select(photo, prediction, parameters).mask
    height, width = mask.shape
    return Encoded(isal_zlib.compress(np.ascontiguousarray(mask), 1), "application/zlib", width, height)


def _select(photo: Image, prediction: Prediction, parameters: SegmentParameters) -> Segmented:
    """Keep the pixels and classes requested, at the size requested."""
    mask, palette = prediction.mask, Palette.of(prediction.served.card)
    if parameters.min_confidence is not None:
        assert prediction.confidence is not None
        mask = masks.confident(mask, prediction.confidence, parameters.min_confidence, palette.ignore_id)
    if parameters.classes is not None:
        mask = masks.keep(mask, palette.select(parameters.classes), palette.ignore_id)
    if parameters.size == "original":
        mask = masks.resize(mask, *photo.shape[:2])
    return Segmented(photo, mask, prediction.served, palette, parameters)


def _mask(segmented: Segmented) -> bytes:
    palette = segmented.palette
    return png.encode_indexed(segmented.mask, palette.rgb, palette.alpha, {TEXT_KEY: palette.text})


def _color(segmented: Segmented) -> bytes:
    bgr = masks.colorize(segmented.mask, segmented.palette)
    return _encode_image(bgr, segmented.parameters.image_format, flat=True)


def _overlay(segmented: Segmented) -> bytes:
    photo = images.resize(segmented.photo, *segmented.mask.shape)
    bgr = masks.overlay(photo, segmented.mask, segmented.palette, segmented.parameters.alpha)
    return _encode_image(bgr, segmented.parameters.image_format)


def _json(segmented: Segmented) -> bytes:
    return json_form.encode(segmented.mask, segmented.served, segmented.parameters)


_ENCODERS: dict[Form, Callable[[Segmented], bytes]] = {
    "mask": _mask,
    "color": _color,
    "overlay": _overlay,
    "json": _json,
}


def _encode_image(bgr: Image, kind: ImageFormat | None, *, flat: bool = False) -> bytes:
    """``flat``: of few colours, each of which has a meaning, so that WebP keeps them all."""
    match kind:
        case "jpeg":
            return images.encode_jpeg(bgr)
        case "webp":
            return images.encode_webp(bgr, lossless=flat)
        case _:
            return images.encode_png(bgr)
