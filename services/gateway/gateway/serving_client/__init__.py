"""The one package that knows gRPC: TensorFlow Serving's three calls, and its status codes as the gateway's errors."""

from gateway.serving_client.client import ServingClient

__all__ = ["ServingClient"]
