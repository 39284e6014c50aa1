"""Quality of a network on the validation images during training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import IGNORE_ID
from trainer.datasets.dataset import Dataset, Item
from trainer.input.pipeline import evaluation_batches
from trainer.losses.total import loss_terms
from trainer.metrics.confusion import ConfusionMatrix
from trainer.models.preprocessing import normalize, upsample
from trainer.recipe import Recipe
from trainer.training.distribution import Distribution
from trainer.training.network import Network
from trainer.training.step import head_weights

# Images that TensorBoard shows.
_SAMPLES = 4

Samples = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class ValidationResult:
    """The result of a validation.

    Attributes:
        loss: as in training, but over all valid pixels together.
        confusion: over all valid pixels.
        samples: the first images [N, H, W, 3], their labels and their masks [N, H, W].
    """

    loss: float
    confusion: ConfusionMatrix
    samples: Samples | None


class Validator:
    """Measures ``network.kept`` at input size; every image counts once, on however many devices."""

    def __init__(
        self, recipe: Recipe, network: Network, dataset: Dataset, items: Sequence[Item], distribution: Distribution
    ) -> None:
        self._recipe, self._network, self._distribution = recipe, network, distribution
        self._classes = len(dataset.classes)
        self._samples = min(_SAMPLES, len(items))
        rows = distribution.shard.rows(recipe.data.batch_size)
        batches = evaluation_batches(dataset, items, recipe.data, distribution.shard)
        self._batches = batches.map(lambda images, labels: _padded(images, labels, rows))
        weights = head_weights(recipe)
        self._weights = [weights[head] * loss.weight for head in network.kept.output for loss in recipe.losses]
        self._measure = tf.function(
            lambda images, labels: distribution.strategy.run(self._measure_here, args=(images, labels)), autograph=False
        )

    def __call__(self, is_interrupted: Callable[[], bool]) -> ValidationResult | None:
        """Measure; None if interrupted, which happens only where no other worker would be left waiting."""
        confusion, terms, samples = ConfusionMatrix(self._classes), np.zeros([len(self._weights), 2]), None
        for images, labels in self._batches:
            if self._distribution.is_alone and is_interrupted():
                return None
            measured = self._measure(self._distribution.split(images), self._distribution.split(labels))
            masks, parts = map(self._distribution.strategy.experimental_local_results, measured)
            mask = np.concatenate([part.numpy() for part in masks])
            confusion.add(labels.numpy(), mask)
            terms += sum(part.numpy().astype(np.float64) for part in parts)
            if samples is None:
                samples = images.numpy()[: self._samples], labels.numpy()[: self._samples], mask[: self._samples]
        confusion.counts = self._distribution.sum(confusion.counts)
        sums, counts = self._distribution.sum(terms).T
        loss = float(np.dot(self._weights, sums / np.maximum(counts, 1e-6)))
        return ValidationResult(loss, confusion, samples)

    def _measure_here(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Masks uint8 [N, H, W], and sum and count of every loss of every head, float32 [K, 2]."""
        outputs = self._network.kept(normalize(images), training=False)
        full = {head: upsample(logits, *labels.shape[1:]) for head, logits in outputs.items()}
        terms = [loss_terms(loss, labels, logits) for logits in full.values() for loss in self._recipe.losses]
        return tf.cast(tf.argmax(full["logits"], axis=-1), tf.uint8), tf.stack([tf.stack(term) for term in terms])


def _padded(images: tf.Tensor, labels: tf.Tensor, rows: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The last, smaller batch padded with ignored pixels: devices take equal parts, and one graph serves all."""
    missing = rows - tf.shape(images)[0]
    images = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
    labels = tf.pad(labels, [[0, missing], [0, 0], [0, 0]], constant_values=IGNORE_ID)
    return tf.ensure_shape(images, [rows, *images.shape[1:]]), tf.ensure_shape(labels, [rows, *labels.shape[1:]])
