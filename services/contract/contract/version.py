"""The version of all of Segstack. It stands here alone: every pyproject.toml reads it from this file."""

__version__ = "0.1.0"
