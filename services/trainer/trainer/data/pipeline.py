"""tf.data pipelines from a data set on disk to batches.

Images are resized bilinearly with half-pixel centres and no antialias, as the contract says every client does; labels
only ever by nearest neighbour.
"""

from collections.abc import Sequence

import tensorflow as tf

from contract import IGNORE_ID
from trainer.data.dataset import Dataset, Item, paths
from trainer.recipe import Augmentation, Data


def training_batches(dataset: Dataset, items: Sequence[Item], data: Data, seed: int) -> tf.data.Dataset:
    """An endless, shuffled, augmented stream of (uint8 image [B,H,W,3], uint8 label [B,H,W]), repeatable by seed."""
    pairs = tf.data.Dataset.from_tensor_slices(paths(dataset, items))
    pairs = pairs.shuffle(len(items), seed=seed, reshuffle_each_iteration=True).repeat()
    seeds = tf.data.Dataset.random(seed=seed).batch(2, drop_remainder=True)

    def load(files: tuple[tf.Tensor, tf.Tensor], key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = _read(*files, data.input_height, data.input_width)
        return augment(image, label, key, data.augmentation)

    batches = tf.data.Dataset.zip(pairs, seeds).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.batch(data.batch_size, drop_remainder=True).prefetch(2)


def evaluation_batches(dataset: Dataset, items: Sequence[Item], data: Data) -> tf.data.Dataset:
    """Every item once, in order, the smaller last batch included."""
    pairs = tf.data.Dataset.from_tensor_slices(paths(dataset, items))
    loaded = pairs.map(
        lambda image, label: _read(image, label, data.input_height, data.input_width),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return loaded.batch(data.batch_size).prefetch(2)


def augment(image: tf.Tensor, label: tf.Tensor, key: tf.Tensor, options: Augmentation) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale, crop or pad back to size, mirror, and change the light of one pair.

    Args:
        image: uint8 [H, W, 3].
        label: uint8 [H, W].
        key: two integers; the same key gives the same result.

    Returns:
        The pair, same shapes and dtypes; pixels from outside are black in the image and ignored in the label.
    """
    keys = tf.random.split(tf.cast(key, tf.int32), 6)
    height, width = image.shape[:2]
    label = label[..., None]

    factor = tf.random.stateless_uniform([], keys[0], *options.scale)
    size = [tf.cast(tf.round(factor * side), tf.int32) for side in (height, width)]
    image = tf.image.resize(image, size)
    label = tf.image.resize(label, size, method="nearest")
    # Padding carries an ignored label, so that one crop serves both larger and smaller pictures.
    below, right = (tf.maximum(side - have, 0) for side, have in zip((height, width), size, strict=True))
    image = tf.pad(image, [[0, below], [0, right], [0, 0]])
    label = tf.pad(label, [[0, below], [0, right], [0, 0]], constant_values=IGNORE_ID)
    corner = tf.random.stateless_uniform([2], keys[1]) * tf.cast(tf.shape(label)[:2] - [height, width] + 1, tf.float32)
    top, left = tf.unstack(tf.cast(corner, tf.int32))
    image = tf.ensure_shape(image[top : top + height, left : left + width], [height, width, 3])
    label = tf.ensure_shape(label[top : top + height, left : left + width], [height, width, 1])

    if options.flip and tf.random.stateless_uniform([], keys[2]) < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    image = image / 255.0
    image = tf.image.stateless_random_brightness(image, options.brightness, keys[3]) if options.brightness else image
    if options.contrast:
        image = tf.image.stateless_random_contrast(image, 1 - options.contrast, 1 + options.contrast, keys[4])
    if options.saturation:
        image = tf.image.stateless_random_saturation(image, 1 - options.saturation, 1 + options.saturation, keys[5])
    return tf.image.convert_image_dtype(tf.clip_by_value(image, 0.0, 1.0), tf.uint8), label[..., 0]


def _read(image_path: tf.Tensor, label_path: tf.Tensor, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    image = tf.io.decode_image(tf.io.read_file(image_path), channels=3, expand_animations=False)
    label = tf.io.decode_png(tf.io.read_file(label_path), channels=1)
    image = tf.image.resize(image, [height, width])
    label = tf.image.resize(label, [height, width], method="nearest")
    return tf.cast(tf.round(image), tf.uint8), label[..., 0]
