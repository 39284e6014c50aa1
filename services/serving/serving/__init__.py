"""TensorFlow Serving's gRPC protocol on the TensorFlow runtime, where there is no Docker."""
