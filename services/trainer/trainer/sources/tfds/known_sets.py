"""Features, classes and mask values of some of TFDS's sets, which the sets themselves do not give."""

from dataclasses import dataclass

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.class_colors import BACKGROUND, voc_color
from trainer.sources import cityscapes
from trainer.sources.masks.label_values import LabelValues

# The categories of the scene parsing benchmark's instance annotation, 1 to 100, as its own list names them.
_THINGS = (
    "bed", "windowpane", "cabinet", "person", "door", "table", "curtain", "chair", "car", "painting", "sofa", "shelf",
    "mirror", "armchair", "seat", "fence", "desk", "wardrobe", "lamp", "bathtub", "railing", "cushion", "box", "column",
    "signboard", "chest of drawers", "counter", "sink", "fireplace", "refrigerator", "stairs", "case", "pool table",
    "pillow", "screen door", "bookcase", "coffee table", "toilet", "flower", "book", "bench", "countertop", "stove",
    "palm", "kitchen island", "computer", "swivel chair", "boat", "arcade machine", "bus", "towel", "light", "truck",
    "chandelier", "awning", "streetlight", "booth", "television receiver", "airplane", "apparel", "pole", "bannister",
    "ottoman", "bottle", "van", "ship", "fountain", "washer", "plaything", "stool", "barrel", "basket", "bag",
    "minibike", "oven", "ball", "food", "step", "trade name", "microwave", "pot", "animal", "bicycle", "dishwasher",
    "screen", "sculpture", "hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan", "plate", "monitor",
    "bulletin board", "radiator", "glass", "clock", "flag",
)  # fmt: skip


@dataclass(frozen=True)
class TfdsSource:
    """How to read one of TFDS's sets.

    Args:
        name: the set's name, with its configuration.
        image_key: the image feature.
        mask_key: the mask feature.
        classes: the classes of the imported set.
        values: the class id of each mask value.
        splits: the splits that have labels; empty if all have.
        note: a sentence for the import report.
    """

    name: str
    image_key: str
    mask_key: str
    classes: tuple[ClassInfo, ...]
    values: LabelValues
    splits: tuple[str, ...] = ()
    note: str = ""


def _named(*names: str) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo(class_id, name, voc_color(class_id)) for class_id, name in enumerate(names))


SOURCES = {
    source.name.split("/")[0]: source
    for source in (
        # Parkhi et al., Cats and Dogs, CVPR 2012: trimaps of 1 foreground, 2 background, 3 not classified.
        TfdsSource(
            "oxford_iiit_pet",
            "image",
            "segmentation_mask",
            _named(BACKGROUND, "pet"),
            LabelValues({1: 1, 2: 0, 3: IGNORE_ID}),
            note="The trimaps' border (3, not classified) is ignored",
        ),
        # Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017. TFDS has the instance annotation of the
        # 2017 challenge, not the 150 classes of scene parsing: red is the category, 0 outside its 100 things, green
        # the instance.
        TfdsSource(
            "scene_parse150",
            "image",
            "annotation",
            _named(BACKGROUND, *_THINGS),
            LabelValues({value: value for value in range(len(_THINGS) + 1)}),
            note="TFDS's scene_parse150 has 100 categories of things; wall, sky, floor and the like are background",
        ),
        TfdsSource(
            "cityscapes/semantic_segmentation",
            "image_left",
            "segmentation_label",
            cityscapes.CLASSES,
            cityscapes.LABEL_IDS,
            splits=("train", "validation"),
            note="The test images were skipped: their labels are not public",
        ),
    )
}
