"""Trained weights, from elsewhere or from earlier runs, loaded into our networks."""

from trainer.weights.load import load_into

__all__ = ["load_into"]
