import numpy as np
import pytest

from converter.proof.agreement import compare

TRUTH = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])


def test_equal_masks_agree_completely() -> None:
    agreement = compare([TRUTH, TRUTH], [TRUTH, TRUTH])
    assert (agreement.fraction, agreement.miou, agreement.fractions, agreement.changes()) == (1, 1, (1, 1), [])


def test_differences_are_counted_by_class_and_by_image() -> None:
    other = np.array([[0, 0, 1, 2], [2, 2, 0, 0]])
    agreement = compare([TRUTH, TRUTH], [TRUTH, other])
    assert agreement.fraction == 13 / 16
    assert (agreement.fractions, agreement.worst) == ((1, 5 / 8), 1)
    np.testing.assert_allclose(agreement.iou, [4 / 6, 3 / 4, 6 / 9])
    assert agreement.miou == pytest.approx((4 / 6 + 3 / 4 + 6 / 9) / 3)
    assert agreement.changes() == [(2, 0, 2), (1, 2, 1)]


def test_absent_class_has_no_iou() -> None:
    agreement = compare([np.array([[0, 2]])], [np.array([[0, 2]])])
    assert np.isnan(agreement.iou[1])
    assert agreement.miou == 1


def test_masks_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a mask of shape \(1, 4\): expected \(2, 4\)"):
        compare([TRUTH], [TRUTH[:1]])
