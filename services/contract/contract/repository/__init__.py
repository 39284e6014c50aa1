"""The model repository on disk: publish, label, roll back, prune, list."""
