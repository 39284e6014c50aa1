"""Properties of every registered operation."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import IGNORE_ID
from trainer.augmentation.operations import apply, create_operation, example_generator, operation_names
from trainer.recipe_values import to_recipe

SEEDS = range(12)


def augmented(operations, pair, seed, size=(64, 80), donor=None):
    return apply(operations, pair, np.random.default_rng(seed), size, donor and (lambda rng: donor))


@pytest.mark.parametrize("name", operation_names())
class TestEveryOperation:
    def test_keeps_shapes_and_types(self, name, painted, operations_of):
        for size in ((64, 80), (50, 40), (96, 128)):
            pair = augmented(operations_of(name), painted(), 0, size, painted(1))
            assert (pair.image.dtype, pair.image.shape) == (np.uint8, (*size, 3))
            assert (pair.mask.dtype, pair.mask.shape) == (np.uint8, size)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_invents_no_label(self, name, seed, painted, operations_of):
        """Also where the largest and the smallest value are neighbours, between which interpolation would invent."""
        pair, donor = painted(seed, classes=(0, 9)), painted(seed + 1, classes=(0, 3))
        labels = np.unique(augmented(operations_of(name), pair, seed, donor=donor).mask)
        assert set(labels) <= {0, 9, IGNORE_ID} | ({3} if name == "copy_paste" else set())

    @pytest.mark.parametrize("seed", SEEDS)
    def test_moves_image_and_mask_together(self, name, seed, painted, operations_of, assert_matches):
        assert_matches(augmented(operations_of(name), painted(seed), seed, (96, 128), painted(seed + 1)))

    def test_does_not_modify_its_input(self, name, painted, operations_of):
        pair, donor = painted(), painted(1)
        kept = pair.image.copy(), pair.mask.copy(), donor.image.copy(), donor.mask.copy()
        augmented(operations_of(name), pair, 1, pair.mask.shape, donor)
        for before, after in zip(kept, (pair.image, pair.mask, donor.image, donor.mask), strict=True):
            np.testing.assert_array_equal(before, after)

    def test_the_same_generator_gives_the_same_result(self, name, painted, operations_of):
        one, again = (augmented(operations_of(name), painted(), 7, donor=painted(1)) for _ in range(2))
        np.testing.assert_array_equal(one.image, again.image)
        np.testing.assert_array_equal(one.mask, again.mask)

    def test_probability_0_changes_nothing(self, name, painted, operations_of):
        plain, same = augmented([], painted(), 0), augmented(operations_of(name, probability=0)[:1], painted(), 0)
        np.testing.assert_array_equal(plain.image, same.image)
        np.testing.assert_array_equal(plain.mask, same.mask)

    def test_is_read_back_from_a_recipe(self, name, operations_of):
        operation = operations_of(name)[0]
        ((written, options),) = to_recipe(operation).items()
        assert written == name
        assert create_operation(name, **options) == operation


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(operation_names()), max_size=5),
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(32, 130), st.integers(32, 130)),
)
def test_any_operations_in_any_order_keep_size_and_labels(names, seed, size, painted, operations_of):
    pair = painted(seed % 5)
    operations = [operation for name in names for operation in operations_of(name)]
    result = augmented(operations, pair, seed, size, painted(seed % 7))
    assert result.mask.shape == size == result.image.shape[:2]
    assert set(np.unique(result.mask)) <= {0, 3, 5, 9, IGNORE_ID}


class TestNames:
    def test_unknown_operation_lists_the_known_ones(self):
        with pytest.raises(ValueError, match="there is no operation 'turn': choose from blur, copy_paste, crop,"):
            create_operation("turn")

    def test_unknown_option_lists_the_known_ones(self):
        with pytest.raises(ValueError, match="rotate: angle: unknown value; known: probability, degrees"):
            create_operation("rotate", angle=3)


class TestExampleGenerator:
    def test_each_example_has_its_own_constant_stream(self):
        keys = list(itertools.product((0, 1, 2**32 - 1), (0, 1), (0, 1, 2**40)))
        draws = [example_generator(*key).random() for key in keys]
        assert len(set(draws)) == len(keys)
        assert draws == [example_generator(*key).random() for key in keys]
