"""Masks of class ids, palette indices or colours, read exactly."""
