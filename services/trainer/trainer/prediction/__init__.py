"""Images and videos of one's own, segmented by a local or served model."""
