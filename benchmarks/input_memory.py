"""Resident memory over two epochs of 5,000 training images: it must not grow in the second.

    make bench, or .venv/bin/python -m benchmarks.input_memory [--images 5000]

The items share forty files, all operations are enabled, and batches are 8 images of 480x640. Exits 1 if the second
epoch added more than the bound. Measured: 620.6 MB with the first batch, 649.6 MB after the first epoch, 651.3 MB
after the second (+1.6 MB); only indices are shuffled, and no buffer holds more than two batches.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from trainer.datasets.dataset import Item, load_dataset
from trainer.input.pipeline import training_batches
from trainer.recipe import Data
from trainer.sources.cvat.importer import import_cvat
from trainer.sources.drawn.scenes import synthesize

IMAGES, FILES = 5000, 40
GROWTH_BOUND_MB = 32
AUGMENTATION = [
    {"random_scale": {"range": [0.5, 2]}}, {"crop": {"max_class_share": 0.75}}, "flip", "rotate", "photometric",
    "copy_paste", "cutout", "jpeg", "blur",
]  # fmt: skip


def resident_mb() -> float:
    """MB resident in this process, from Linux's /proc."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def main() -> int:
    """Print both readings and the growth with its bound; return 1 if it is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"images an epoch (default {IMAGES})")
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder, "drawn"), FILES, 480, 640, seed=1)
        import_cvat([Path(folder, "drawn")], Path(folder, "set"))
        dataset = load_dataset(Path(folder, "set"))
        files = dataset.items
        items = [Item(f"{n}", files[n % FILES].image, files[n % FILES].mask) for n in range(images)]
        data = Data.model_validate(
            {"path": dataset.root, "input_height": 480, "input_width": 640, "augmentation": AUGMENTATION}
        )
        batches = iter(training_batches(dataset, items, data, seed=1))
        next(batches)
        print(f"  first batch     {resident_mb():7.1f} MB", flush=True)
        readings = []
        for epoch in (1, 2):
            started = time.monotonic()
            for _ in range(images // data.batch_size):
                next(batches)
            readings.append(resident_mb())
            print(f"  after epoch {epoch}   {readings[-1]:7.1f} MB   {time.monotonic() - started:.0f} s", flush=True)
    growth = readings[1] - readings[0]
    print(f"grew by {growth:+.1f} MB in the second epoch of {images} images (bound {GROWTH_BOUND_MB} MB)")
    return int(growth > GROWTH_BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
