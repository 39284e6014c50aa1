"""``form=json``: area, bounding box and runs of every class present, and its polygons where they are requested."""

from gateway.api.parameters import SegmentParameters
from gateway.api.schemas import ClassRegion, CocoRle, Segmentation
from gateway.imaging.masks import Mask
from gateway.imaging.palette import is_background
from gateway.results import rle
from gateway.results.polygons import polygons
from gateway.results.regions import regions
from gateway.serving_client.replies import ServedModel


def encode(mask: Mask, served: ServedModel, parameters: SegmentParameters) -> bytes:
    """A :class:`~gateway.api.schemas.Segmentation` of ``mask``, uint8 [H,W], as JSON in UTF-8."""
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
