"""One package per form that a published version is converted to; ``converter.target`` is their interface."""
