"""TensorRT inside TensorFlow (TF-TRT): rewrite, convert, build engines, or rehearse it without a GPU."""
