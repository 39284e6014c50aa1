"""Optimisers from a recipe. Weight decay leaves out biases and normalisation, which only scale and shift."""

import math
import re
from typing import Any

import keras
from keras import KerasTensor, ops

from trainer.recipe import Optimizer
from trainer.training.schedules import create_schedule

# As Keras calls the variables of its layers; an optimiser sees them as TensorFlow's, layer/gamma/replica_1:0.
_UNDECAYED = r"(^|/)(bias|gamma|beta)(/|:|$)"

_EPSILON = 1e-8  # as in the papers; Keras has 1e-7


@keras.saving.register_keras_serializable("segstack")
class SGD(keras.optimizers.SGD):
    """SGD as in PyTorch, with which the DDRNet authors trained; Keras's differs in two ways.

    The decay is L2's gradient, ``g + l2 * w``, and passes through the momentum; Keras's shrinks the weights directly.
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
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * step)

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


@keras.saving.register_keras_serializable("segstack")
class RAdam(keras.optimizers.Optimizer):
    """Adam whose step is small while its second moment is known from few gradients (Liu et al., arXiv 1908.03265).

    As algorithm 2: while fewer than about four gradients' worth is known (rho <= 4) the step is momentum's alone.
    ``weight_decay`` is decoupled, as in the authors' code; ``epsilon`` is added to the root as in Adam.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        """Make both moments, zero, for each of ``variables``."""
        if self.built:
            return
        super().build(variables)
        self._first, self._second = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: KerasTensor, variable: keras.Variable, learning_rate: KerasTensor) -> None:
        """One step of one variable."""
        gradient, rate = (ops.cast(value, variable.dtype) for value in (gradient, learning_rate))
        index = self._get_variable_index(variable)
        first, second = self._first[index], self._second[index]
        self.assign(first, self.beta_1 * first + (1 - self.beta_1) * gradient)
        self.assign(second, self.beta_2 * second + (1 - self.beta_2) * ops.square(gradient))

        step = ops.cast(self.iterations + 1, variable.dtype)
        # 1 - beta ** step; written out, float32 would lose the difference of two numbers near one.
        unbiased_1, unbiased_2 = (-ops.expm1(step * math.log(beta)) for beta in (self.beta_1, self.beta_2))
        rho_end = 2 / (1 - self.beta_2) - 1
        rho = rho_end - 2 * step * (1 - unbiased_2) / unbiased_2
        known = ops.maximum(rho, 4.0)
        rectified = ops.sqrt((known - 4) * (known - 2) * rho_end / ((rho_end - 4) * (rho_end - 2) * known))
        adaptive = rectified / (ops.sqrt(second / unbiased_2) + self.epsilon)
        self.assign_sub(variable, rate * first / unbiased_1 * ops.where(rho > 4, adaptive, ops.ones_like(adaptive)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def _with_l2(gradient: KerasTensor, variable: keras.Variable, l2: float) -> KerasTensor:
    gradient = ops.cast(gradient, variable.dtype)
    return gradient if not l2 or re.search(_UNDECAYED, variable.name) else gradient + l2 * variable


def create_optimizer(options: Optimizer, total_steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimiser over ``total_steps`` iterations.

    ``weight_decay`` is in the gradient for sgd and adam, and decoupled (arXiv 1711.05101) for adamw and radam: there
    the weights shrink by ``rate * weight_decay`` of themselves. Clipping is done by the step, which knows the
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
