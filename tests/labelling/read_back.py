"""Decode masks with CVAT's and Label Studio's own packages: ``python read_back.py ENCODED.json DECODED.json``.

ENCODED: ``[{"width", "height", "cvat": points, "labelstudio": rle}, …]``; DECODED: for each the same keys with the mask
as rows of 0 and 1.
"""

import json
import sys
from pathlib import Path

import numpy as np
from cvat_sdk.masks import decode_mask
from label_studio_sdk.converter.brush import decode_rle

source, target = map(Path, sys.argv[1:])
decoded = []
for mask in json.loads(source.read_text()):
    width, height = mask["width"], mask["height"]
    drawn = decode_mask(mask["cvat"], image_width=width, image_height=height)
    brushed = decode_rle(mask["labelstudio"]).reshape(height, width, 4)[:, :, 3] > 0
    decoded.append({"cvat": drawn.astype(np.uint8).tolist(), "labelstudio": brushed.astype(np.uint8).tolist()})
target.write_text(json.dumps(decoded))
