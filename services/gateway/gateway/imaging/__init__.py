"""Images and masks. Pure functions: headers, EXIF, decode, resize, palette, PNG."""
