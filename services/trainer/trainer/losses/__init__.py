"""Losses by name. None knows a network.

A recipe lists them: ``losses: [{cross_entropy: {label_smoothing: 0.1}}, {dice: {weight: 0.5}}]``.
:mod:`~trainer.losses.registry` says what can be set, without importing Keras. Each loss's mathematics is a function,
in a file of its own, from labels and float32 logits to :data:`~trainer.losses.terms.Terms`;
:mod:`~trainer.losses.total` puts them together.
"""
