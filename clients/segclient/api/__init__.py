"""The Python SDK: clients, streams, and what they send and receive."""
