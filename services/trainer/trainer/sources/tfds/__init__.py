"""TensorFlow Datasets, both ways: import a set, or build one from ours."""
