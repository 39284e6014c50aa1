"""How the outputs of two engines are compared, and on which inputs."""

import numpy as np
import pytest

from serving.engines import agreement

MASK = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)


def test_integers_agree_if_equal():
    other = MASK.copy()
    other[0, 0, :3] += 1
    assert agreement.equal_fraction(MASK, MASK) == 1
    assert agreement.equal_fraction(MASK, other) == pytest.approx(0.97)


def test_floats_agree_within_two_percent_of_the_largest():
    expected = np.float32([0, 1, 100, np.nan])
    assert agreement.equal_fraction(expected, expected + np.float32(1.9)) == 1
    assert agreement.equal_fraction(expected, np.float32([2.1, 1, 100, np.nan])) == 0.75
    assert agreement.equal_fraction(expected, np.float32([0, 1, np.nan, 0])) == 0.5


@pytest.mark.parametrize("other", [MASK[:, :5], MASK.astype(np.int32)], ids=["shape", "dtype"])
def test_other_shape_or_dtype_does_not_agree(other):
    assert agreement.equal_fraction(MASK, other) == 0


def test_examples_are_four_kinds_of_images_and_reproducible():
    spec = [(np.dtype(np.uint8), (-1, 48, 64, 3))]
    images = [arrays[0] for arrays in agreement.examples(spec)]
    assert [image.shape for image in images] == [(1, 48, 64, 3)] * 4
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    grey, gradient, natural, white = (image.astype(float) for image in images)
    assert (grey == 114).all()
    assert gradient[0, 0, 0, 0] == 0
    assert gradient[0, -1, -1, -1] == 255
    assert 40 < natural.std() < 90
    # Neighbours are alike in a photograph and unrelated in white noise.
    assert _neighbours(natural) < _neighbours(white) / 2
    assert all(np.array_equal(a, b[0]) for a, b in zip(images, agreement.examples(spec), strict=True))


def _neighbours(image):
    return np.abs(np.diff(image, axis=2)).mean()


def test_open_sides_and_other_dtypes():
    spec = [(np.dtype(np.float32), (-1, -1, -1, 3)), (np.dtype(np.int64), ()), (np.dtype(np.int8), (-1, 7))]
    for image, scalar, row in agreement.examples(spec):
        assert image.shape == (1, 128, 128, 3)
        assert image.dtype == np.float32
        assert -1 <= image.min() <= image.max() <= 1
        assert (scalar.shape, scalar.dtype) == ((), np.int64)
        assert (row.shape, row.dtype) == ((1, 7), np.int8)
        assert row.min() >= 0
