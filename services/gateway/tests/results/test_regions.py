"""Area, bounding box and runs of every class."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.results.regions import regions, runs_by_class

SMALL_MASKS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 4, 255])
)


@settings(deadline=None)
@given(SMALL_MASKS)
def test_regions_cover_every_class(mask):
    found = regions(mask, 255)

    assert [region.class_id for region in found] == [i for i in np.unique(mask) if i != 255]
    painted = np.full(mask.size, 255, np.uint8)
    for region in found:
        rows, columns = np.nonzero(mask == region.class_id)
        assert region.pixels == len(rows)
        assert region.area == len(rows) / mask.size
        x, y, width, height = region.bounding_box
        assert (x, y, x + width - 1, y + height - 1) == (columns.min(), rows.min(), columns.max(), rows.max())
        starts, ends = region.runs.starts.tolist(), region.runs.ends.tolist()
        assert starts == sorted(starts)
        for start, end in zip(starts, ends, strict=True):
            painted[start:end] = region.class_id
    assert np.array_equal(painted.reshape(mask.shape), mask)


def test_run_ends_where_the_class_changes():
    runs = runs_by_class(np.array([7, 7, 0, 7, 0, 0], np.uint8))
    assert {value: (r.starts.tolist(), r.lengths.tolist()) for value, r in runs.items()} == {
        0: ([2, 4], [1, 2]),
        7: ([0, 3], [2, 1]),
    }
