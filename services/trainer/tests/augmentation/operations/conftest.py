"""A painted pair: under every operation, an image in its mask's colours must keep matching it."""

import cv2
import numpy as np
import pytest

from trainer.augmentation.operations import create_operation
from trainer.datasets.pair import Pair

# Grey levels far apart, so that light, blur and JPEG leave them in order; background is dark.
LEVELS = np.zeros(256, np.uint8)
LEVELS[[0, 3, 5, 9]] = [40, 90, 150, 210]


@pytest.fixture(scope="session")
def painted():
    """``painted(seed=0)``: blocks of the classes 0, 3, 5 and 9 on 96x128, and the image in their grey levels."""

    def paint(seed=0, classes=(0, 3, 5, 9)):
        blocks = np.random.default_rng(seed).choice(np.array(classes, np.uint8), (3, 4))
        mask = blocks.repeat(32, 0).repeat(32, 1)
        return Pair(np.repeat(LEVELS[mask][..., None], 3, axis=2), mask)

    return paint


@pytest.fixture(scope="session")
def backgrounds(tmp_path_factory):
    """A folder with one background, all in the background's grey."""
    folder = tmp_path_factory.mktemp("backgrounds")
    cv2.imwrite(str(folder / "wall.png"), np.full((50, 90, 3), LEVELS[0], np.uint8))
    return folder


@pytest.fixture(scope="session")
def operations_of(backgrounds):
    """``operations_of("flip")``: that operation, certain to happen, with the crop that some need."""

    def create(name, **options):
        if name == "replace_background":
            options.setdefault("folder", backgrounds)
        operation = create_operation(name, **({"probability": 1} | options))
        return [operation, create_operation("crop")] if name == "random_scale" else [operation]

    return create


@pytest.fixture(scope="session")
def assert_matches():
    """``assert_matches(pair)``: away from borders, each label's pixels have one grey, and higher labels are lighter."""

    def check(pair):
        greys = []
        for value in np.unique(pair.mask[pair.mask != 255]):
            inside = cv2.erode((pair.mask == value).astype(np.uint8), np.ones((11, 11)), borderValue=0).astype(bool)
            if inside.sum() < 20:
                continue
            pixels = pair.image[inside].mean(axis=1)
            greys.append(np.median(pixels))
            assert (np.abs(pixels - greys[-1]) < 12).mean() > 0.97, f"label {value} has several greys"
        assert (np.diff(greys) > 12).all(), f"the labels' greys {greys} are not in order"

    return check
