"""What the gateway returns: masks as images, regions, RLE, polygons, or a zip of them. Pure functions."""
