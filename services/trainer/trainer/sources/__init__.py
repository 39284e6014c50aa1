"""What people have: CVAT exports, folders of masks, Cityscapes, TFDS, videos; read into data sets."""
