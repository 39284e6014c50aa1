"""tf.data pipelines from a data set on disk to batches.

Images are resized bilinearly with half-pixel centres and no antialias, as by every client of the contract; labels only
by nearest neighbour. OpenCV decodes and augments in Python, one example per thread, and releases the interpreter's lock
meanwhile. Shuffling permutes positions, so no buffer holds images.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.augmentation.operations import Operation, apply, example_generator
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.pair import Pair, read_pair
from trainer.errors import UserError
from trainer.input.sampling import SINGLE, Shard, example_at
from trainer.recipe import Data

_ENDLESS = 2**62

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def training_batches(
    dataset: Dataset, items: Sequence[Item], data: Data, seed: int, start_step: int = 0, shard: Shard = SINGLE
) -> tf.data.Dataset:
    """An endless, shuffled, augmented stream of (uint8 image [B,H,W,3], uint8 label [B,H,W]), repeatable by seed.

    Args:
        dataset: the data set.
        items: the items to use.
        data: sizes, the batch size over all workers, and the augmentation.
        seed: a different seed gives another order and other augmentation.
        start_step: the number of the first batch, to resume a training.
        shard: this worker's part of every batch.

    Raises:
        UserError: the batch size is not divisible by the number of workers, or an operation lacks what it needs.
    """
    for operation in data.augmentation:
        operation.require()
    examples = _Examples(dataset, items, data)
    rows = shard.rows(data.batch_size)

    def load(local: NDArray[np.int64]) -> Arrays:
        epoch, item = example_at(shard.position(int(local), data.batch_size), len(items), seed)
        return examples.augmented(item, data.augmentation, example_generator(seed, epoch, item))

    positions = tf.data.Dataset.range(start_step * rows, _ENDLESS)
    return _batches(positions, load, data, rows, drop_remainder=True)


def evaluation_batches(dataset: Dataset, items: Sequence[Item], data: Data, shard: Shard = SINGLE) -> tf.data.Dataset:
    """Every item once, in order, including the smaller last batch; each of several workers gets its part."""
    examples = _Examples(dataset, items, data)
    rows = shard.rows(data.batch_size)
    mine = [i for i in range(len(items)) if i % data.batch_size // rows == shard.index]

    def load(item: NDArray[np.int64]) -> Arrays:
        return examples.plain(int(item))

    return _batches(tf.data.Dataset.from_tensor_slices(np.array(mine, np.int64)), load, data, rows)


class _Examples:
    """The items at input size, plain or augmented; thread-safe."""

    def __init__(self, dataset: Dataset, items: Sequence[Item], data: Data) -> None:
        self._dataset, self._items = dataset, items
        self._size = data.input_height, data.input_width
        self._cache: dict[int, Pair] | None = {} if data.cache else None
        # tf.data prepares one example per core at a time, so OpenCV's own threads would only compete.
        cv2.setNumThreads(0)

    def plain(self, item: int) -> Arrays:
        return self.augmented(item, (), np.random.default_rng(0))

    def augmented(self, item: int, operations: Sequence[Operation], rng: np.random.Generator) -> Arrays:
        pair = apply(operations, self._read(item), rng, self._size, self._donor)
        return pair.image, pair.mask

    def _donor(self, rng: np.random.Generator) -> Pair:
        return self._read(int(rng.integers(len(self._items))))

    def _read(self, item: int) -> Pair:
        if self._cache is None:
            return read_pair(self._dataset, self._items[item])
        if item not in self._cache:
            self._cache[item] = read_pair(self._dataset, self._items[item])
        return self._cache[item]


def _batches(
    numbers: tf.data.Dataset, load: Callable[[Any], Arrays], data: Data, rows: int, drop_remainder: bool = False
) -> tf.data.Dataset:
    height, width = data.input_height, data.input_width

    def loaded(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = tf.numpy_function(load, [number], (tf.uint8, tf.uint8))
        return tf.ensure_shape(image, (height, width, 3)), tf.ensure_shape(label, (height, width))

    return numbers.map(loaded, num_parallel_calls=threads()).batch(rows, drop_remainder=drop_remainder).prefetch(2)


@contextlib.contextmanager
def reraise_user_errors() -> Iterator[None]:
    """Raise the UserError of an example again: tf.data has turned it into an UnknownError with a traceback."""
    try:
        yield
    except tf.errors.UnknownError as error:
        message = re.search(rf"\b{UserError.__name__}: (.*)", error.message)
        if message is None:
            raise
        raise UserError(message[1]) from None


def threads() -> int:
    """The number of examples prepared at a time: one per core of this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
