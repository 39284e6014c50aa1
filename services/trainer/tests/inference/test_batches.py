"""Items in batches."""

from itertools import count

from trainer.inference.batches import batches


def test_the_last_batch_may_be_smaller():
    assert list(batches("abcdefg", 3)) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert list(batches([], 3)) == []


def test_items_are_taken_as_they_are_needed():
    assert next(batches(count(), 2)) == [0, 1]
