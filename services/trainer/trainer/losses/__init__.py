"""Losses by name. None knows a network.

A recipe lists them: ``losses: [{cross_entropy: {label_smoothing: 0.1}}, {dice: {weight: 0.5}}]``.
:mod:`~trainer.losses.loss` says what a loss is: options and formula in one class, in a file of its own.
:mod:`~trainer.losses.registry` names them all; :mod:`~trainer.losses.total` sums what a recipe lists.
"""
