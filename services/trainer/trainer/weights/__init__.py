"""Trained weights, from elsewhere or from earlier runs, loaded into our networks."""

from trainer.weights.load import Report, load_into

__all__ = ["Report", "load_into"]
