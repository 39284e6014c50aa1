"""The demo's set: drawn objects on real photographs."""
