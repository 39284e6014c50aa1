"""Optimisers and their schedule, from a recipe."""

import keras
from keras import KerasTensor, ops

from trainer.recipe import Optimizer


@keras.saving.register_keras_serializable("segstack")
class PolyDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to ``peak``, then ``peak * (1 - step / total) ** power``, per iteration."""

    def __init__(self, peak: float, total_steps: int, warmup_steps: int, power: float) -> None:
        self.peak, self.total_steps, self.warmup_steps, self.power = peak, total_steps, warmup_steps, power

    def __call__(self, step: KerasTensor) -> KerasTensor:
        """The learning rate of iteration ``step``, counted from 0."""
        step = ops.cast(step, "float32")
        warm = ops.minimum(1.0, (step + 1) / max(1, self.warmup_steps))
        left = ops.maximum(0.0, 1 - step / self.total_steps)
        return self.peak * warm * left**self.power

    def get_config(self) -> dict[str, float]:
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "power": self.power,
        }


def create_optimizer(options: Optimizer, total_steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimiser over ``total_steps`` iterations; weight decay is decoupled (arXiv 1711.05101)."""
    schedule = PolyDecay(options.learning_rate, total_steps, options.warmup_steps, options.schedule.power)
    if options.name == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)
    else:
        optimizer = keras.optimizers.SGD(schedule, momentum=options.momentum, weight_decay=options.weight_decay or None)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
