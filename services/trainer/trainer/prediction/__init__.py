"""Images, videos and cameras, segmented by a local or served model."""
