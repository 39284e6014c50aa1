"""Optimisers from a recipe. Weight decay passes over biases and normalisation, which only scale and shift."""

import re
from typing import Any

import keras
from keras import KerasTensor

from trainer.recipe import Optimizer
from trainer.training.radam import RAdam
from trainer.training.schedules import create_schedule

# As Keras calls the variables of its layers; an optimiser sees them as TensorFlow's, layer/gamma/replica_1:0.
_UNDECAYED = r"(^|/)(bias|gamma|beta)(/|:|$)"

_EPSILON = 1e-8  # as in the papers; Keras has 1e-7


@keras.saving.register_keras_serializable("segstack")
class SGD(keras.optimizers.SGD):
    """SGD as PyTorch has it, with which the DDRNet authors trained; Keras's differs twice.

    The decay is L2's gradient, ``g + l2 * w``, and passes through the momentum; Keras's shrinks the weights beside it.
    The learning rate multiplies the momentum as it leaves, ``v = m v + g``, ``w -= rate v``; in Keras's a fallen rate
    reaches only the gradients still to come.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(learning_rate, momentum, **options)
        self.l2 = l2

    def update_step(self, gradient: KerasTensor, variable: keras.Variable, learning_rate: KerasTensor) -> None:
        """One step of one variable."""
        step = _with_l2(gradient, variable, self.l2)
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            step = self.momentum * velocity + step
            self.assign(velocity, step)
        self.assign_sub(variable, keras.ops.cast(learning_rate, variable.dtype) * step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "l2": self.l2}


@keras.saving.register_keras_serializable("segstack")
class Adam(keras.optimizers.Adam):
    """Adam (arXiv 1412.6980) whose decay, as PyTorch's, is L2's gradient; AdamW is the one where it is not."""

    def __init__(self, learning_rate: Any = 0.001, l2: float = 0.0, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.l2 = l2

    def update_step(self, gradient: KerasTensor, variable: keras.Variable, learning_rate: KerasTensor) -> None:
        """One step of one variable."""
        super().update_step(_with_l2(gradient, variable, self.l2), variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "l2": self.l2}


def _with_l2(gradient: KerasTensor, variable: keras.Variable, l2: float) -> KerasTensor:
    gradient = keras.ops.cast(gradient, variable.dtype)
    return gradient if not l2 or re.search(_UNDECAYED, variable.name) else gradient + l2 * variable


def create_optimizer(options: Optimizer, total_steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimiser over ``total_steps`` iterations.

    ``weight_decay`` is in the gradient for sgd and adam, and decoupled (arXiv 1711.05101) for adamw and radam: there
    the weights shrink by ``rate * weight_decay`` of themselves. Clipping is the step's business, which knows the
    gradients of all devices.
    """
    rate = create_schedule(options.schedule, options.learning_rate, options.warmup_steps, total_steps)
    decay = options.weight_decay
    if options.name == "sgd":
        return SGD(rate, options.momentum, l2=decay)
    if options.name == "adam":
        return Adam(rate, l2=decay, epsilon=_EPSILON)
    kind = {"adamw": keras.optimizers.AdamW, "radam": RAdam}[options.name]
    optimizer = kind(rate, weight_decay=decay, epsilon=_EPSILON)
    optimizer.exclude_from_weight_decay(var_names=[_UNDECAYED])
    return optimizer
