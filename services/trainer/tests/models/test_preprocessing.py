"""From a client's pixels to a network's input, and from its logits back to the image's size."""

import numpy as np

from contract import Preprocessing
from trainer.models.preprocessing import normalize, upsample


def test_normalisation_is_the_formula_of_the_card():
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), np.uint8)
    expected = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    result = np.asarray(normalize(image))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


def test_normalisation_uses_the_given_statistics():
    image = np.array([[[[0, 127, 255]]]], np.uint8)
    result = normalize(image, Preprocessing(scale=1 / 127.5, mean=(1, 1, 1), std=(1, 1, 1)))
    np.testing.assert_allclose(np.asarray(result), image / 127.5 - 1, rtol=0, atol=1e-6)


def test_upsampling_has_half_pixel_centres():
    """With aligned corners the first row would be 0, 3.3, 6.7, 10."""
    logits = np.array([[0, 10]], np.float32).reshape(1, 1, 2, 1)
    result = np.asarray(upsample(logits, 2, 4)).squeeze()
    np.testing.assert_allclose(result, [[0, 2.5, 7.5, 10]] * 2, atol=1e-6)
