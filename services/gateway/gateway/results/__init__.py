"""What goes out: masks as images, regions, RLE, polygons or a zip. Pure functions."""
