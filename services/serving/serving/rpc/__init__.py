"""The server's interfaces: gRPC services and REST. Nothing here waits for a model to load."""
