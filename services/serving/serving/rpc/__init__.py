"""How the server is asked: gRPC services, REST. Nothing here waits for a load."""
