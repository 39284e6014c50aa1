"""Images per second of the training pipeline on two cores, compared with albumentations and Keras's layers.

    make bench, or .venv/bin/python -m benchmarks.input_pipeline [--rounds 9]

All read the same drawn JPEGs and PNG masks and produce batches of 8 at 512x512 with two workers, one contender after
the other within a round. albumentations 2.0.8 runs in a separate environment, in two styles and with two loaders.
Exits 1 if the fastest of its four was faster than the pipeline, by the median of the ratios within a round.

Measured on two shared cores (images/s; in brackets CPU ms per image, which other load disturbs less; 7 rounds):

                                      from 1024x2048      from 480x640
    ours                               104.2 (18.3)       122.0  (6.9)
    albumentations, best of each        99.2 (19.6)       103.2  (9.6)      ours is 1.10 and 1.50 times as fast
    Keras's layers, half the work       27.7 (68.3)        20.4 (55.0)      4.0 and 5.7 times
    ours, with copy-paste and cap       47.9 (38.9)        71.1 (13.0)

* For large images most of the time is decoding: 13 ms for the JPEG and, at first, 8 ms for a mask of few regions.
  Written without PNG filters such a mask takes 3.8 ms and 3.7 kB instead of 6.1. The rest is one warp for all
  geometric operations, 1.6 ms, and one affine map for all colour operations, 0.12 ms where a look-up table takes 0.2.
* Keras 3.15's layers transform masks with nearest neighbour. But image and mask share one fill value, so ignored
  pixels (255) are white in the image; their random generators are shared by all examples, so parallel calls are not
  repeatable; there is no capped crop, no JPEG, no copy-paste; and on a CPU they are the slowest by far.
* copy-paste has to decode a second image.
* Measuring a stream from its start, or while another still fills its buffers, is wrong by a factor of two: every
  contender is warmed up first, and dropped or drained before the next one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from keras import layers

from benchmarks.tools.environment import python_with
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.input.pipeline import training_batches
from trainer.recipe import Data
from trainer.sources.cvat.importer import import_cvat
from trainer.sources.drawn.scenes import synthesize

PEER = Path(__file__).with_name("peers") / "input_pipeline_albumentations.py"

SIZE, BATCH, CORES = 512, 8, 2
WARM_UP = 4  # batches, as in the peer
# Height, width, images on disk, images a round.
SOURCES = [(1024, 2048, 8, 32), (480, 640, 32, 64)]
# What albumentations can do too; see STYLES in the peer.
SHARED: list[Any] = [
    {"random_scale": {"range": [0.5, 2]}},
    "crop",
    "flip",
    {"rotate": {"degrees": 10}},
    {"photometric": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.02}},
    {"cutout": {"holes": 3, "size": 0.2}},
    {"jpeg": {"quality": [40, 95]}},
    {"blur": {"sigma": [0.1, 2]}},
]
EVERYTHING: list[Any] = [
    SHARED[0], {"crop": {"max_class_share": 0.75}}, *SHARED[2:5], {"shift": {}}, "copy_paste", *SHARED[5:],
]  # fmt: skip

# Prepares that many images and returns how many seconds that took, and how many CPU seconds.
Contender = Callable[[int], tuple[float, float]]


def ours(dataset: Dataset, augmentation: list[Any]) -> Contender:
    """The pipeline as a training uses it."""
    data = Data.model_validate(
        {"path": dataset.root, "input_height": SIZE, "input_width": SIZE, "batch_size": BATCH}
        | {"augmentation": augmentation}
    )
    return taking(training_batches(dataset, dataset.items, data, seed=1))


def keras_layers(dataset: Dataset) -> Contender:
    """What Keras's layers have of it: scale, flip, rotation, colours. TensorFlow decodes."""
    moves = [
        layers.Resizing(SIZE, SIZE, data_format="channels_last"),
        layers.RandomZoom((-0.5, 1.0), fill_mode="constant", data_format="channels_last"),
        layers.RandomFlip("horizontal", data_format="channels_last"),
        layers.RandomRotation(10 / 360, fill_mode="constant", data_format="channels_last"),
        layers.RandomColorJitter((0, 255), 0.2, 0.2, 0.2, 0.02, data_format="channels_last"),
    ]

    def load(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pair = {
            "images": tf.io.decode_jpeg(tf.io.read_file(image), channels=3),
            "segmentation_masks": tf.io.decode_png(tf.io.read_file(mask), channels=1),
        }
        for layer in moves:
            pair = layer(pair, training=True)
        return tf.cast(pair["images"], tf.uint8), pair["segmentation_masks"]

    files = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*paths(dataset), strict=True)))).repeat()
    return taking(files.map(load, num_parallel_calls=CORES).batch(BATCH).prefetch(2))


def paths(dataset: Dataset) -> list[tuple[str, str]]:
    """Image and mask of every item."""
    return [(str(dataset.root / item.image), str(dataset.root / item.mask)) for item in dataset.items]


def taking(batches: tf.data.Dataset) -> Contender:
    """A stretch of the stream, once its buffers are in use; what it prepared ahead is dropped before others' turn."""

    def seconds(images: int) -> tuple[float, float]:
        stream = iter(batches)
        for _ in range(WARM_UP):
            next(stream)
        started, cpu = time.perf_counter(), time.process_time()
        for _ in range(images // BATCH):
            next(stream)
        return time.perf_counter() - started, time.process_time() - cpu

    return seconds


@contextmanager
def albumentations(dataset: Dataset, folder: Path) -> Iterator[dict[str, Contender]]:
    """Its styles on threads and on processes, in a separate process."""
    listing = folder / "pairs.tsv"
    listing.write_text("".join(f"{image}\t{mask}\n" for image, mask in paths(dataset)))
    command: list[str | Path] = [python_with("requirements-albumentations.lock"), PEER, listing]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def contender(loader: str, style: str) -> Contender:
            def seconds(images: int) -> tuple[float, float]:
                requests.write(f"{loader} {style} {images}\n")
                requests.flush()
                wall, cpu = map(float, answers.readline().split())
                return wall, cpu

            return seconds

        yield {
            f"albumentations {style}, {loader}": contender(loader, style)
            for style in ("steps", "one-warp")
            for loader in ("threads", "processes")
        }
        requests.close()


def measure(contenders: dict[str, Contender], images: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds an image of each contender in each round, after one that loads everything."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, prepare in contenders.items():
            wall, cpu = prepare(images)
            if number:
                seconds[name].append((wall / images, cpu / images))
    return seconds


def report(seconds: dict[str, list[tuple[float, float]]]) -> bool:
    """Print each contender compared with ours; return whether none of albumentations' was faster."""
    fastest = True
    for name, values in seconds.items():
        wall, cpu = (
            statistics.median(theirs[i] / ours[i] for theirs, ours in zip(values, seconds["ours"], strict=True))
            for i in range(2)
        )
        rate = 1 / statistics.median(wall for wall, _ in values)
        milliseconds = 1000 * statistics.median(cpu for _, cpu in values)
        print(f"  {name:<36}{rate:8.1f} images/s {milliseconds:8.1f} CPU ms   {wall:5.2f} {cpu:5.2f}")
        fastest &= not name.startswith("albumentations") or wall >= 1
    return fastest


def main() -> int:
    """Print a table for each size of source; 1 when albumentations was faster in one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9, help="rounds in which every contender takes its turn")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    fastest = True
    for height, width, images, images_a_round in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            synthesize(Path(folder, "drawn"), images, height, width, seed=1)
            import_cvat([Path(folder, "drawn")], Path(folder, "set"))
            dataset = load_dataset(Path(folder, "set"))
            with albumentations(dataset, Path(folder)) as peers:
                contenders = {
                    "ours": ours(dataset, SHARED),
                    **peers,
                    "Keras layers (fewer operations)": keras_layers(dataset),
                }
                contenders["ours, everything"] = ours(dataset, EVERYTHING)
                print(
                    f"{height}x{width} to {SIZE}x{SIZE}, {CORES} cores, medians of {options.rounds} rounds", flush=True
                )
                fastest &= report(measure(contenders, images_a_round, options.rounds))
    return int(not fastest)


if __name__ == "__main__":
    sys.exit(main())
