import numpy as np
import pytest

from converter.proof.agreement import compare

TRUTH = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])


def test_a_mask_agrees_with_itself() -> None:
    agreement = compare([TRUTH, TRUTH], [TRUTH, TRUTH])
    assert (agreement.share, agreement.miou, agreement.shares, agreement.swaps()) == (1, 1, (1, 1), [])


def test_what_differs_is_counted_by_class_and_by_image() -> None:
    other = np.array([[0, 0, 1, 2], [2, 2, 0, 0]])
    agreement = compare([TRUTH, TRUTH], [TRUTH, other])
    assert agreement.share == 13 / 16
    assert (agreement.shares, agreement.worst) == ((1, 5 / 8), 1)
    np.testing.assert_allclose(agreement.iou, [4 / 6, 3 / 4, 6 / 9])
    assert agreement.miou == pytest.approx((4 / 6 + 3 / 4 + 6 / 9) / 3)
    assert agreement.swaps() == [(2, 0, 2), (1, 2, 1)]


def test_a_class_that_neither_sees_does_not_count() -> None:
    agreement = compare([np.array([[0, 2]])], [np.array([[0, 2]])])
    assert np.isnan(agreement.iou[1])
    assert agreement.miou == 1


def test_masks_of_other_sizes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match=r"a mask of \(1, 4\): expected \(2, 4\)"):
        compare([TRUTH], [TRUTH[:1]])
