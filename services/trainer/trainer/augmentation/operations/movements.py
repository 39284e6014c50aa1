"""Operations that move pixels: they change a view's matrix; pixels are resampled later, once."""

import numpy as np
from pydantic import Field

from contract import IGNORE_ID
from trainer.augmentation.operations.operation import Movement, register
from trainer.augmentation.operations.view import View, scaling, shifting, turning
from trainer.recipe_values import Fraction, PositiveRange

# Class fractions are estimated on a grid of at most this many points per side.
_GRID = 64


@register("random_scale")
class RandomScale(Movement):
    """Enlarge or shrink by a factor drawn uniformly from ``range``; a crop must follow."""

    range: PositiveRange = (0.5, 2.0)

    def move(self, view: View, rng: np.random.Generator) -> View:
        """The same area in more or fewer pixels."""
        factor = rng.uniform(*self.range)
        return view.resized(*(max(1, round(factor * side)) for side in (view.height, view.width)))


@register("crop")
class Crop(Movement):
    """Crop to the canvas's size at a random place; a smaller image is placed randomly and the rest is ignored.

    Of ``tries`` places the first in which no class has more than ``max_class_share`` of the labelled pixels is used,
    or else the one in which the most frequent class has the smallest fraction.
    """

    max_class_share: float = Field(1.0, gt=0, le=1)
    tries: int = Field(10, ge=1)

    def move(self, view: View, rng: np.random.Generator) -> View:
        """A view of the canvas's size."""
        best, best_fraction = self._anywhere(view, rng), 1.0
        if self.max_class_share == 1:
            return best
        for number in range(self.tries):
            candidate = self._anywhere(view, rng) if number else best
            fraction = _largest_fraction(candidate)
            if fraction < best_fraction:
                best, best_fraction = candidate, fraction
            if fraction <= self.max_class_share:
                break
        return best

    @staticmethod
    def _anywhere(view: View, rng: np.random.Generator) -> View:
        top, left = (
            int(rng.integers(min(0, have - want), max(0, have - want), endpoint=True))
            for have, want in zip((view.height, view.width), view.canvas, strict=True)
        )
        return view.through(shifting(left, top), *view.canvas)


def _largest_fraction(view: View) -> float:
    """The fraction of the most frequent class in the labelled pixels, estimated; 1 if nothing is labelled."""
    grid = view.resized(min(view.height, _GRID), min(view.width, _GRID)).draw_mask()
    counts = np.bincount(grid.ravel(), minlength=IGNORE_ID + 1)[:IGNORE_ID]
    return float(counts.max() / counts.sum()) if counts.any() else 1.0


@register("flip")
class Flip(Movement):
    """Mirror left-right with probability ``horizontal``, top-bottom with probability ``vertical``."""

    horizontal: Fraction = 0.5
    vertical: Fraction = 0.0

    def move(self, view: View, rng: np.random.Generator) -> View:
        """The view, mirrored or not."""
        across, down = rng.random(2) < (self.horizontal, self.vertical)
        mirrored = scaling(-1 if across else 1, -1 if down else 1)
        return view.through(shifting(view.width if across else 0, view.height if down else 0) @ mirrored)


@register("rotate")
class Rotate(Movement):
    """Rotate about the centre by up to ``degrees`` in either direction."""

    degrees: float = Field(10.0, ge=0, le=180)

    def move(self, view: View, rng: np.random.Generator) -> View:
        """The rotated view, of the same size."""
        middle = view.width / 2, view.height / 2
        turned = turning(np.deg2rad(rng.uniform(-self.degrees, self.degrees)))
        return view.through(shifting(*middle) @ turned @ shifting(-middle[0], -middle[1]))


@register("shift")
class Shift(Movement):
    """Shift by up to ``fraction`` of the width and of the height, in either direction."""

    fraction: Fraction = 0.1

    def move(self, view: View, rng: np.random.Generator) -> View:
        """The shifted view, of the same size."""
        x, y = rng.uniform(-self.fraction, self.fraction, 2) * (view.width, view.height)
        return view.through(shifting(x, y))
