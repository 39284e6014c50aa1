"""Do imported weights give the authors' logits? Needs a checkpoint and logits of the authors' code.

::

    python benchmarks/weights_parity.py best_val_smaller.pth references.npz --network ddrnet23_slim

``references.npz`` comes from the authors' PyTorch code (ydhongHIT/DDRNet) with that checkpoint in evaluation mode: for
each size ``image_HxW``, uint8 RGB [1, H, W, 3], and ``logits_HxW``, float32 [1, H/8, W/8, C] (their output, channels
last, before any resize); ``aux_HxW``, the same of the auxiliary head, if there is one. Their input is
(image / 255 - mean) / std with ImageNet's mean and std.

Measured with random weights in the layout of the authors' Cityscapes file for DDRNet-23-slim, as fractions of the
logits' standard deviation (their own code differs by at most 1e-5 between float32 and float64):

=========  =======  =======  ============
size       mean     largest  same argmax
=========  =======  =======  ============
256x512    2.4e-6   1.5e-5   all
480x640    3.0e-6   1.7e-5   all
512x1024   2.4e-6   1.9e-5   all
auxiliary  1.9e-6   1.3e-5   all (256x512)
=========  =======  =======  ============
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np

from trainer.errors import UserError
from trainer.models import create_model
from trainer.models.preprocessing import normalize
from trainer.weights import load_into

# Two correct float32 implementations stay well within this.
_TOLERANCE = 1e-4


def main() -> int:
    """Print the differences; 1 if one is larger than 1e-4 of the logits' standard deviation."""
    parser = argparse.ArgumentParser(description="Compare imported weights with logits of the authors' code.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("--network", required=True, choices=["ddrnet23_slim", "ddrnet23", "ddrnet39"])
    options = parser.parse_args()
    worst = 0.0
    with np.load(options.references) as references:
        sizes = [match.groups() for name in references if (match := re.fullmatch(r"image_(\d+)x(\d+)", name))]
        for height, width in sizes:
            size = f"{height}x{width}"
            expected = {"logits": references[f"logits_{size}"]}
            if f"aux_{size}" in references:
                expected["auxiliary"] = references[f"aux_{size}"]
            classes = expected["logits"].shape[-1]
            model = create_model(options.network, int(height), int(width), classes, auxiliary="auxiliary" in expected)
            load_into(model, options.checkpoint)
            outputs = model(normalize(references[f"image_{size}"]), training=False)
            for name, theirs in expected.items():
                ours = np.asarray(outputs[name])
                difference = np.abs(ours - theirs) / theirs.std()
                worst = max(worst, float(difference.max()))
                same = (ours.argmax(-1) == theirs.argmax(-1)).mean()
                print(
                    f"{size} {name}: mean {difference.mean():.1e}, largest {difference.max():.1e} of the standard "
                    f"deviation; argmax the same on {same:.2%}"
                )
    return int(worst > _TOLERANCE)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
