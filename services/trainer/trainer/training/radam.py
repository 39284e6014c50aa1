"""Rectified Adam, which Keras does not have."""

import math
from typing import Any

import keras
from keras import KerasTensor, ops


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
