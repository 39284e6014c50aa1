"""Images and masks, as pure functions: headers, EXIF, decoding, resizing, palette, PNG."""
