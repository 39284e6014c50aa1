"""The exponential moving average of a network's weights (Polyak and Juditsky 1992), batch statistics included."""

import keras
import tensorflow as tf
from keras import KerasTensor

from trainer.training.distribution import Distribution
from trainer.training.network import Network


class Average:
    """Keeps the average of ``network.trained`` in ``network.kept``.

    ``decay`` is reached gradually, as ``min(decay, (1 + n) / (10 + n))`` after n steps: else the random weights of the
    start would be most of the average for the first ``1 / (1 - decay)`` steps.
    """

    def __init__(self, network: Network, decay: float, distribution: Distribution) -> None:
        self._network, self._decay, self._extended = network, decay, distribution.strategy.extended

    def update(self, steps: KerasTensor) -> None:
        """Draw the average nearer to the weights; ``steps`` is how many there have been. Outside of replicas."""
        steps = tf.cast(keras.ops.convert_to_tensor(steps), tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + steps) / (10 + steps))

        def draw(average: tf.Variable, weight: tf.Tensor) -> tf.Operation:
            return average.assign_add((weight - average) * share)

        for average, weight in zip(self._network.kept.weights, self._network.trained.weights, strict=True):
            self._extended.update(average.value, draw, args=(weight.value,))
