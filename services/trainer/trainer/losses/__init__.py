"""Losses by name, independent of the network.

A recipe lists them: ``losses: [{cross_entropy: {label_smoothing: 0.1}}, {dice: {weight: 0.5}}]``.
:mod:`~trainer.losses.loss` defines what a loss is: options and formula in one class.
:mod:`~trainer.losses.registry` names them all; :mod:`~trainer.losses.total` sums what a recipe lists.
"""
