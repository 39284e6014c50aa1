"""The demonstration set: drawn objects on real photographs."""
