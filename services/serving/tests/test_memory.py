"""Memory: a dropped version's is freed at once. benchmarks/serving_memory.py measures that it stays flat."""

import gc
import mmap
import sys
import weakref

import pytest

from serving import memory


class Node:
    """Its own neighbour: freed by the collector alone."""

    def __init__(self):
        self.me = self


@pytest.fixture(autouse=True)
def _by_hand():
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def test_cycles_are_freed_at_once():
    gone = weakref.ref(Node())
    assert gone() is not None
    memory.reclaim()
    assert gone() is None


def test_objects_of_imports_are_not_collected_again():
    memory.freeze_imports()
    assert gc.get_freeze_count() > 10_000
    gone = weakref.ref(Node())
    memory.reclaim()
    assert gone() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_resident_bytes():
    # Pages from the system itself: what malloc keeps for later depends on the tests before.
    with mmap.mmap(-1, 50_000_000) as block:
        before = memory.resident_bytes()
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        assert memory.resident_bytes() - before == pytest.approx(len(block), rel=0.2)
