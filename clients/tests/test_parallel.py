"""Only a few items are processed at a time, however many there are."""

import itertools
import threading

import pytest

from segclient.parallel import as_completed, in_order


@pytest.mark.parametrize("mapper", [in_order, as_completed])
def test_few_items_are_taken_ahead(mapper) -> None:
    taken = itertools.count()
    results = mapper(lambda item: item * 2, (next(taken) for _ in iter(int, 1)), 3)
    for _ in range(50):
        item, done = next(results)
        assert done.result() == 2 * item
    assert next(taken) <= 50 + 3
    results.close()


def test_results_come_in_order_or_as_completed() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            later.wait(30)
        return item

    unordered = as_completed(work, range(3), 3)
    assert {next(unordered)[0], next(unordered)[0]} == {1, 2}
    later.set()
    assert [item for item, _ in unordered] == [0]
    assert [item for item, _ in in_order(work, range(5), 2)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("mapper", [in_order, as_completed])
def test_error_is_in_its_future(mapper) -> None:
    ((item, done),) = mapper(lambda item: 1 // item, [0], 1)
    assert item == 0
    assert isinstance(done.exception(), ZeroDivisionError)
