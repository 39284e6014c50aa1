"""``models.config``, TensorFlow Serving's list of models, read and written."""
