"""tf.data pipelines from a data set on disk to batches."""
