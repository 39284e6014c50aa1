"""Everything that touches uvicorn's internals, and the TLS certificates it is given."""
