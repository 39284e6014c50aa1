"""What the tests of networks share."""

import keras
import numpy as np
import pytest


@pytest.fixture(scope="session")
def normalize_by():
    """``normalize_by(model, images)``: every batch normalisation takes the images' own statistics.

    Those of a fresh network, 0 and 1, let the signal of a deep one fade until nothing is left to compare.
    """

    def calibrate(model, images):
        norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0
        model(images, training=True)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return model

    return calibrate


@pytest.fixture(scope="session")
def random_images():
    """``random_images(height, width, count=2)``: normalised images, float32 [count, height, width, 3]."""

    def draw(height, width, count=2):
        return np.random.default_rng(1).standard_normal((count, height, width, 3)).astype(np.float32)

    return draw
