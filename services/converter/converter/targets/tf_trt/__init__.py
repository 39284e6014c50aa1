"""TF-TRT, TensorRT inside TensorFlow: rewrite the graph, convert it, build engines; or a dry run without a GPU."""
