"""Examples of replies for OpenAPI: real ones, for a photo of 8x4 pixels with a car and a tree."""

from typing import Any

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

SEGMENTATION: dict[str, Any] = {
    "model": "shapes",
    "version": 1,
    "width": 8,
    "height": 4,
    "ignore_id": 255,
    "classes": [
        {
            "id": 1,
            "name": "car",
            "color": [220, 60, 60],
            "background": False,
            "pixels": 8,
            "area": 0.25,
            "bounding_box": [0, 0, 4, 2],
            "rle": [0, 4, 8, 4],
        },
        {
            "id": 2,
            "name": "tree",
            "color": [60, 180, 90],
            "background": False,
            "pixels": 8,
            "area": 0.25,
            "bounding_box": [4, 0, 4, 2],
            "rle": [4, 4, 12, 4],
        },
    ],
}

# The car's `rle` and `polygons` for other values of those parameters.
RLE: dict[str, Any] = {
    "coco": {"size": [4, 8], "counts": "02200000`0"},
    "cvat": [0, 8, 0, 0, 3, 1],
    "labelstudio": [0, 0, 0, 128, 57, 27, 253, 255, 251, 224, 23, 255, 242, 120, 0],
}
POLYGONS = [[[[0, 0], [4, 0], [4, 2], [0, 2]]]]

MANIFEST: dict[str, Any] = {
    "images": [
        {"file": "photo.jpg", "entry": "photo.png", "status": 200, "model": "shapes", "version": 1},
        {"file": "notes.txt", "entry": "notes.error.json", "status": 415, "model": None, "version": None},
    ]
}


def segmentation_examples() -> dict[str, Any]:
    """Examples of ``form=json`` by name: the default, then every other notation."""
    others = {
        f"rle={name}": {**SEGMENTATION, "classes": [{**SEGMENTATION["classes"][0], "rle": runs}]}
        for name, runs in RLE.items()
    }
    outlined = {**SEGMENTATION, "classes": [{**SEGMENTATION["classes"][0], "polygons": POLYGONS}]}
    examples = {"classes=car,tree": SEGMENTATION, "polygons=0": outlined, **others}
    return {
        name: {"summary": f"form=json&{name}" + ("" if "classes" in name else "&classes=car"), "value": value}
        for name, value in examples.items()
    }
