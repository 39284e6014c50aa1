"""Label images of any kind, read exactly: ids, palette indices or colours."""
