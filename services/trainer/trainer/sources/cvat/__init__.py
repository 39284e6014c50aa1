"""CVAT's "Segmentation mask 1.1" exports."""
