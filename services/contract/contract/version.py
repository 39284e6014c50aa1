"""The version of all Segstack packages; every pyproject.toml reads it from this file."""

__version__ = "0.1.0"
