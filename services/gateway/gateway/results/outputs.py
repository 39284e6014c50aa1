"""What a mask is turned into for the caller: bytes and their media type. Pure functions."""

from dataclasses import dataclass

import numpy as np
from isal import isal_zlib

from contract import ModelCard
from gateway.api.parameters import ImageFormat, SegmentParameters
from gateway.api.schemas import ClassRegion, CocoRle, Segmentation
from gateway.errors import InvalidParameter
from gateway.imaging import images, masks, png
from gateway.imaging.images import Image
from gateway.imaging.masks import Mask
from gateway.imaging.palette import TEXT_KEY, Palette, is_background
from gateway.results import rle
from gateway.results.polygons import polygons
from gateway.results.regions import regions
from gateway.serving_client.replies import Prediction, ServedModel


@dataclass(frozen=True)
class Encoded:
    """A reply's body, and the size in pixels of what it holds."""

    body: bytes
    media_type: str
    width: int
    height: int


def check(photo: Image, card: ModelCard, parameters: SegmentParameters) -> None:
    """Refuse before inference what :func:`encode` cannot give.

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
    """What the caller asked for.

    Args:
        photo: uint8 [H,W,3], RGB, as sent.
        prediction: of the model's input size; with ``confidence`` where ``min_confidence`` asks for it.
        parameters: checked against each other.

    Raises:
        InvalidParameter: as :func:`check`.
    """
    served, kind = prediction.served, parameters.image_format
    palette = Palette.of(served.card)
    mask = _filtered(photo, prediction, parameters, palette)
    match parameters.output:
        case "mask":
            body = png.encode_indexed(mask, palette.rgb, palette.alpha, {TEXT_KEY: palette.text})
        case "color":
            body = _encode_image(masks.colorize(mask, palette), kind, flat=True)
        case "overlay":
            body = _encode_image(
                masks.overlay(images.resize(photo, *mask.shape), mask, palette, parameters.alpha), kind
            )
        case "json":
            body = _describe(mask, served, parameters)
    height, width = mask.shape
    return Encoded(body, f"image/{kind}" if kind else "application/json", width, height)


def encode_frame(photo: Image, prediction: Prediction, parameters: SegmentParameters) -> Encoded:
    """As :func:`encode`, but a mask is its rows of class ids, deflated (zlib): browsers inflate it into a texture."""
    if parameters.output != "mask":
        return encode(photo, prediction, parameters)
    mask = _filtered(photo, prediction, parameters, Palette.of(prediction.served.card))
    height, width = mask.shape
    return Encoded(isal_zlib.compress(np.ascontiguousarray(mask), 1), "application/zlib", width, height)


def _filtered(photo: Image, prediction: Prediction, parameters: SegmentParameters, palette: Palette) -> Mask:
    """The classes that are kept, at the size asked for."""
    mask = prediction.mask
    if parameters.min_confidence is not None:
        assert prediction.confidence is not None
        mask = masks.confident(mask, prediction.confidence, parameters.min_confidence, palette.ignore_id)
    if parameters.classes is not None:
        mask = masks.keep(mask, palette.select(parameters.classes), palette.ignore_id)
    if parameters.size == "original":
        mask = masks.resize(mask, *photo.shape[:2])
    return mask


def _describe(mask: Mask, served: ServedModel, parameters: SegmentParameters) -> bytes:
    """Area, box and runs of every class present, and its outlines where they are asked for."""
    card = served.card
    height, width = mask.shape
    coco = rle.coco(mask) if parameters.rle == "coco" else {}
    outlines = {} if parameters.polygons is None else polygons(mask, card.ignore_id, parameters.polygons)
    found = []
    for region in regions(mask, card.ignore_id):
        c = card.classes[region.class_id]
        runs: list[int] | CocoRle
        match parameters.rle:
            case "runs":
                runs = rle.interleaved(region.runs)
            case "coco":
                runs = CocoRle(size=(height, width), counts=coco[c.id])
            case "cvat":
                runs = rle.cvat(region.runs, region.bounding_box, width)
            case "labelstudio":
                runs = rle.label_studio(region.runs, mask.size)
        found.append(
            ClassRegion(
                id=c.id,
                name=c.name,
                color=c.color,
                background=is_background(c),
                pixels=region.pixels,
                area=region.area,
                bounding_box=region.bounding_box,
                rle=runs,
                polygons=outlines.get(c.id),
            )
        )
    reply = Segmentation(
        model=served.name,
        version=served.version,
        width=width,
        height=height,
        ignore_id=card.ignore_id,
        classes=found,
    )
    return reply.model_dump_json(exclude_none=True).encode()


def _encode_image(bgr: Image, kind: ImageFormat | None, *, flat: bool = False) -> bytes:
    """``flat``: of few colours, each of which means something."""
    match kind:
        case "jpeg":
            return images.encode_jpeg(bgr)
        case "webp":
            return images.encode_webp(bgr, lossless=flat)
        case _:
            return images.encode_png(bgr)
