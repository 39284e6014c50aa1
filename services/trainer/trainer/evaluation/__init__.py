"""Metrics of a network over a split of a data set, and their report."""
