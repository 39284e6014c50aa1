"""Learning rates by iteration: a linear warm-up times a decay to a fraction of the peak."""

import math
from abc import abstractmethod
from typing import Any

import keras
from keras import KerasTensor, ops

from trainer.recipe import Schedule


class _Decay(keras.optimizers.schedules.LearningRateSchedule):
    """``peak`` times the warm-up, which reaches 1 in ``warmup_steps``, times the decay to ``end_factor``.

    The decay starts with the first iteration, as in the DDRNet authors' code, and not after the warm-up: the warm-up's
    length does not move the end.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0, end_factor: float = 0.0) -> None:
        self.peak, self.total_steps, self.warmup_steps, self.end_factor = peak, total_steps, warmup_steps, end_factor

    def __call__(self, step: KerasTensor) -> KerasTensor:
        """The learning rate of iteration ``step``, counted from 0; past ``total_steps`` it stays at its last value."""
        step = ops.cast(step, "float32")
        warm = ops.minimum(1.0, (step + 1) / max(1, self.warmup_steps))
        left = self.left(ops.minimum(1.0, step / self.total_steps))
        return self.peak * warm * (self.end_factor + (1 - self.end_factor) * left)

    @abstractmethod
    def left(self, done: KerasTensor) -> KerasTensor:
        """From 1 to 0 as ``done`` goes from 0 to 1."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "end_factor": self.end_factor,
        }


@keras.saving.register_keras_serializable("segstack")
class PolyDecay(_Decay):
    """``(1 - done) ** power`` (DeepLab, arXiv 1606.00915)."""

    def __init__(self, peak: float, total_steps: int, warmup_steps: int, power: float, end_factor: float = 0.0) -> None:
        super().__init__(peak, total_steps, warmup_steps, end_factor)
        self.power = power

    def left(self, done: KerasTensor) -> KerasTensor:  # noqa: D102
        return (1 - done) ** self.power

    def get_config(self) -> dict[str, Any]:  # noqa: D102
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable("segstack")
class CosineDecay(_Decay):
    """Half a wave (SGDR, arXiv 1608.03983, without its restarts)."""

    def left(self, done: KerasTensor) -> KerasTensor:  # noqa: D102
        return (1 + ops.cos(math.pi * done)) / 2


def create_schedule(options: Schedule, peak: float, warmup_steps: int, total_steps: int) -> _Decay:
    """The recipe's schedule over ``total_steps`` iterations."""
    if options.name == "cosine":
        return CosineDecay(peak, total_steps, warmup_steps, options.end_factor)
    return PolyDecay(peak, total_steps, warmup_steps, options.power, options.end_factor)
