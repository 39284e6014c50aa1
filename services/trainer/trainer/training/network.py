"""The network of a training: the model that steps change, and the model that is validated and kept."""

import sys
from dataclasses import dataclass
from typing import Any

import keras

from trainer.errors import UserError
from trainer.models import create_model
from trainer.recipe import Recipe
from trainer.training.distribution import Distribution
from trainer.training.fused import fuse_batch_normalization
from trainer.weights.load import load_into


@dataclass(frozen=True)
class Network:
    """``trained`` is what steps change, ``kept`` what is validated and saved.

    They are one model unless it is trained in mixed precision, on several devices, or averaged: ``kept`` is then a
    second one, float32 and on one device, as it will be exported.
    """

    trained: keras.Model
    kept: keras.Model
    is_averaged: bool = False

    def refresh(self) -> None:
        """Copy the weights of ``trained`` to ``kept``, unless it holds their average."""
        if self.kept is not self.trained and not self.is_averaged:
            _copy_weights(self.trained, self.kept)


def create_network(recipe: Recipe, classes: int, distribution: Distribution) -> Network:
    """The recipe's network with its first weights.

    Raises:
        UserError: no such network, or the recipe's options or weights do not fit it.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        with distribution.strategy.scope():
            model = _build(recipe, classes)
    finally:
        keras.config.set_dtype_policy(policy)
    fuse_batch_normalization(model)
    if recipe.weights:
        report = load_into(model, recipe.weights)
        if distribution.is_chief:
            print(f"{recipe.weights}: {report}", file=sys.stderr)
    if recipe.precision == "float32" and distribution.replicas == 1 and recipe.average is None:
        return Network(model, model)
    with distribution.strategy.scope():
        kept = keras.saving.deserialize_keras_object(_in_float32(keras.saving.serialize_keras_object(model)))
    if distribution.replicas > 1:
        _synchronize(model)
    _copy_weights(model, kept)
    return Network(model, kept, recipe.average is not None)


def _build(recipe: Recipe, classes: int) -> keras.Model:
    try:
        return create_model(
            recipe.network,
            recipe.data.input_height,
            recipe.data.input_width,
            classes,
            auxiliary=recipe.auxiliary_weight > 0,
            pretrained=recipe.pretrained,
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def _copy_weights(model: keras.Model, other: keras.Model) -> None:
    for source, target in zip(model.weights, other.weights, strict=True):
        target.assign(source.value)


def _in_float32(config: Any) -> Any:
    """A model's configuration whose layers all compute in float32."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {key: _in_float32(value) for key, value in config.items()}
    return [_in_float32(value) for value in config] if isinstance(config, list | tuple) else config


def _synchronize(model: keras.Model) -> None:
    """Have batch normalisation take its moments over the batches of all devices together.

    A switch of the built layers, so that networks know nothing of devices, and one device has nothing to sum.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
