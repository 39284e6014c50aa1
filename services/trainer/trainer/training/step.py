"""One step of a training, on however many devices: the same batch gives the same step."""

from collections.abc import Iterator

import keras
import tensorflow as tf

from trainer.losses.total import total_loss
from trainer.models.preprocessing import normalize, upsample
from trainer.recipe import Recipe
from trainer.training.distribution import Distribution
from trainer.training.network import Network

# Images and labels, or one of each per replica.
Batch = tuple[tf.Tensor, tf.Tensor]


def head_weights(recipe: Recipe) -> dict[str, float]:
    """The weight of each output's loss."""
    return {"logits": 1.0, "auxiliary": recipe.auxiliary_weight}


class MovingAverage:
    """Keeps the exponential moving average of ``network.trained`` in ``network.kept``, batch statistics included.

    ``decay`` is reached gradually, as ``min(decay, (1 + n) / (10 + n))`` after n steps: else the random weights of the
    start would be most of the average for the first ``1 / (1 - decay)`` steps. See Polyak and Juditsky (1992).
    """

    def __init__(self, network: Network, decay: float, distribution: Distribution) -> None:
        self._network, self._decay, self._extended = network, decay, distribution.strategy.extended

    def update(self, steps: keras.KerasTensor) -> None:
        """Move the average towards the weights, after ``steps`` steps. Call it outside of replicas."""
        steps = tf.cast(keras.ops.convert_to_tensor(steps), tf.float32)
        fraction = 1 - tf.minimum(self._decay, (1 + steps) / (10 + steps))

        def move(average: tf.Variable, weight: tf.Tensor) -> tf.Operation:
            return average.assign_add((weight - average) * fraction)

        for average, weight in zip(self._network.kept.weights, self._network.trained.weights, strict=True):
            self._extended.update(average.value, move, args=(weight.value,))


class TrainStep:
    """``accumulate`` micro-batches forward and back, then one update of the weights and of their average.

    The loss of a micro-batch is divided by the count over all devices, and micro-batches weigh the same.
    Only :meth:`take_loss` waits for the device.
    """

    def __init__(
        self, recipe: Recipe, network: Network, optimizer: keras.optimizers.Optimizer, distribution: Distribution
    ) -> None:
        self._recipe, self._network, self._distribution = recipe, network, distribution
        self._model = network.trained
        self._is_scaled = recipe.precision == "mixed_float16"
        self.optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if self._is_scaled else optimizer
        self._average = MovingAverage(network, recipe.average, distribution) if recipe.average else None
        with distribution.strategy.scope():
            self.optimizer.build(self._model.trainable_variables)
            # Sums of gradients, one per replica.
            self._sums = [self._replica_variable(v.shape) for v in self._model.trainable_variables] * (
                recipe.accumulate > 1
            )
        self._loss = tf.Variable(0.0)
        self._losses = 0
        self._accumulate = tf.function(self._accumulate_everywhere, autograph=False)
        self._update = tf.function(self._update_everywhere, autograph=False)

    def __call__(self, batches: Iterator[Batch]) -> None:
        """Take one step on the next ``accumulate`` batches."""
        for _ in range(self._recipe.accumulate - 1):
            self._accumulate(*next(batches))
        self._update(*next(batches))
        self._losses += 1

    def take_loss(self) -> tuple[float, int]:
        """The sum of the losses of the steps since the last call, and how many they are; waits for the device."""
        total, count = float(self._loss), self._losses
        self._loss.assign(0.0)
        self._losses = 0
        return total, count

    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self.optimizer.learning_rate)

    def variables(self) -> list[keras.Variable]:
        """Everything that steps change, in a fixed order, random generators' states included."""
        kept = self._network.kept.weights if self._average else []
        return [*self._model.variables, *self.optimizer.variables, *kept]

    def _accumulate_everywhere(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        self._add_loss(self._distribution.strategy.run(self._accumulate_here, args=(images, labels)))

    def _update_everywhere(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        self._add_loss(self._distribution.strategy.run(self._update_here, args=(images, labels)))
        if self._average:
            self._average.update(self.optimizer.iterations)

    def _accumulate_here(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        loss, gradients = self._backward(images, labels)
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(gradient)
        return loss

    def _update_here(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        loss, gradients = self._backward(images, labels)
        if self._sums:
            gradients = [total + gradient for total, gradient in zip(self._sums, gradients, strict=True)]
        self.optimizer.apply(self._clipped(gradients))
        for total in self._sums:
            total.assign(tf.zeros_like(total))
        return loss

    def _backward(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """This replica's part of the loss, and its gradients, scaled where float16 needs it."""
        weights = head_weights(self._recipe)
        with tf.GradientTape() as tape:
            outputs = self._model(normalize(images), training=True)
            loss = sum(
                weights[name]
                * total_loss(self._recipe.losses, labels, upsample(logits, *labels.shape[1:]), over_devices=self._sum)
                for name, logits in outputs.items()
            )
            loss /= self._recipe.accumulate
            scaled = self.optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, self._model.trainable_variables, unconnected_gradients="zero")

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        clip_norm, replicas = self._recipe.optimizer.clip_norm, self._distribution.replicas
        if replicas > 1 and (clip_norm or self._is_scaled):
            # Norm and finiteness are those of the whole gradient; Keras's optimisers sum again, hence the division.
            gradients = [self._sum(gradient) for gradient in gradients]
        if clip_norm:
            bound = self.optimizer.scale_loss(clip_norm)
            gradients, _ = tf.clip_by_global_norm(gradients, bound)
        if replicas > 1 and (clip_norm or self._is_scaled):
            gradients = [gradient / replicas for gradient in gradients]
        return gradients

    def _sum(self, value: tf.Tensor) -> tf.Tensor:
        """Over the replicas."""
        if self._distribution.replicas == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

    def _add_loss(self, parts: tf.distribute.DistributedValues) -> None:
        self._loss.assign_add(self._distribution.strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None))

    @staticmethod
    def _replica_variable(shape: tuple[int, ...]) -> tf.Variable:
        return tf.Variable(
            tf.zeros(shape),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
