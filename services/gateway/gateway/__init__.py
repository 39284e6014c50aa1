"""Images in over HTTP, masks or coloured overlays out."""
