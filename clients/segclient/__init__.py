"""Images, folders, videos and cameras through a Segstack gateway."""
