"""What a mask is turned into for the caller: bytes and their media type. Pure functions."""

from dataclasses import dataclass

from gateway import images, masks, png
from gateway.errors import InvalidParameter
from gateway.images import Image
from gateway.masks import Mask
from gateway.palette import TEXT_KEY, Palette, is_background
from gateway.schemas import ClassRegion, Output, OutputFormat, Segmentation, SegmentParameters
from gateway.serving_replies import ServedModel

_DEFAULT_FORMAT: dict[Output, OutputFormat] = {"mask": "png", "color": "png", "overlay": "jpeg"}


@dataclass(frozen=True)
class Encoded:
    """A reply's body."""

    body: bytes
    media_type: str


def choose_format(output: Output, wanted: OutputFormat | None) -> OutputFormat | None:
    """The image format of ``output``; None for JSON.

    Raises:
        InvalidParameter: one that ``output`` cannot have.
    """
    if output == "mask" and wanted == "jpeg":
        raise InvalidParameter(
            "format=jpeg: JPEG blurs class ids into others, so a mask is PNG only; use format=png, or output=color",
            parameter="format",
        )
    if output == "json" and wanted:
        raise InvalidParameter(f"format={wanted}: output=json is no image; leave format out", parameter="format")
    return wanted or _DEFAULT_FORMAT.get(output)


def encode(photo: Image, mask: Mask, served: ServedModel, parameters: SegmentParameters) -> Encoded:
    """What the caller asked for.

    Args:
        photo: uint8 [H,W,3], RGB, as sent.
        mask: uint8 [h,w], at the model's input size.
        served: the version that made the mask.
        parameters: output, format, size, classes and alpha.

    Raises:
        InvalidParameter: a class the model lacks, or a format the output cannot have.
    """
    kind = choose_format(parameters.output, parameters.format)
    palette = Palette.of(served.card)
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


def _encode_image(bgr: Image, kind: OutputFormat | None) -> bytes:
    return images.encode_jpeg(bgr) if kind == "jpeg" else images.encode_png(bgr)
