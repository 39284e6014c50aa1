"""What a mask is turned into for the caller: bytes and their media type. Pure functions."""

from dataclasses import dataclass

from gateway import images, masks, png
from gateway.images import Image
from gateway.masks import Mask
from gateway.palette import TEXT_KEY, Palette, is_background
from gateway.parameters import ImageFormat, SegmentParameters
from gateway.schemas import ClassRegion, Segmentation
from gateway.serving_replies import Prediction, ServedModel


@dataclass(frozen=True)
class Encoded:
    """A reply's body."""

    body: bytes
    media_type: str


def encode(photo: Image, prediction: Prediction, parameters: SegmentParameters) -> Encoded:
    """What the caller asked for.

    Args:
        photo: uint8 [H,W,3], RGB, as sent.
        prediction: of the model's input size; with ``confidence`` where ``min_confidence`` asks for it.
        parameters: checked against each other.

    Raises:
        InvalidParameter: a class the model lacks, or an image too long for the format.
    """
    served, mask, kind = prediction.served, prediction.mask, parameters.image_format
    palette = Palette.of(served.card)
    if parameters.min_confidence is not None:
        assert prediction.confidence is not None
        mask = masks.confident(mask, prediction.confidence, parameters.min_confidence, palette.ignore_id)
    if parameters.classes is not None:
        mask = masks.keep(mask, palette.select(parameters.classes), palette.ignore_id)
    if parameters.size == "original":
        mask = masks.resize(mask, *photo.shape[:2])
    match parameters.output:
        case "mask":
            body = png.encode_indexed(mask, palette.rgb, palette.alpha, {TEXT_KEY: palette.text})
        case "color":
            body = _encode_image(masks.colorize(mask, palette), kind)
        case "overlay":
            body = _encode_image(
                masks.overlay(images.resize(photo, *mask.shape), mask, palette, parameters.alpha), kind
            )
        case "json":
            body = _describe(mask, served)
    return Encoded(body, f"image/{kind}" if kind else "application/json")


def _describe(mask: Mask, served: ServedModel) -> bytes:
    """Area, box and runs of every class present."""
    card = served.card
    found = []
    for region in masks.regions(mask, card.ignore_id):
        c = card.classes[region.class_id]
        found.append(
            ClassRegion(
                id=c.id,
                name=c.name,
                color=c.color,
                background=is_background(c),
                pixels=region.pixels,
                area=region.area,
                bounding_box=region.bounding_box,
                rle=region.runs,
            )
        )
    height, width = mask.shape
    reply = Segmentation(
        model=served.name,
        version=served.version,
        width=width,
        height=height,
        ignore_id=card.ignore_id,
        classes=found,
    )
    return reply.model_dump_json().encode()


def _encode_image(bgr: Image, kind: ImageFormat | None) -> bytes:
    return images.encode_jpeg(bgr) if kind == "jpeg" else images.encode_png(bgr)
