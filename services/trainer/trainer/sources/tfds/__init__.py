"""TensorFlow Datasets: import a set, or build one from a data set of ours."""
