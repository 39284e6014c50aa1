"""Video files, cameras and sound."""
