"""SavedModel in, TF-TRT SavedModel out, compared with its source before it is published."""
