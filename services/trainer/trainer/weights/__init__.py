"""Weights that were trained elsewhere or before, into our networks."""

from trainer.weights.load import Report, load_into

__all__ = ["Report", "load_into"]
