"""Labelled images in, a published SavedModel out."""
