"""All of gRPC and protobuf: TensorFlow Serving's calls, its tensors, and its status codes as the gateway's errors.

:class:`gateway.serving_client.client.ServingClient` is the way in; what it returns is in
:mod:`gateway.serving_client.replies`.
"""
