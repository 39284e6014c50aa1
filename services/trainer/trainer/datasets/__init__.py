"""Labelled data sets as we keep them: the index, splits, validation, preview."""
