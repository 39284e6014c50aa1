"""TensorFlow Serving's gRPC messages, as far as the gateway speaks them (see serving.proto)."""
