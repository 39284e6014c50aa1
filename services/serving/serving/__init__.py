"""TensorFlow Serving's gRPC protocol on the TensorFlow runtime, without Docker."""
