"""Metrics: each computed from labels and predictions, image by image."""
