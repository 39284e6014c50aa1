"""Sources of labelled images: CVAT exports, folders of masks, Cityscapes, TFDS, videos."""
