"""A view of a pair: the source position of each of its pixels.

Movements only change the view's matrix; then the image and the mask are warped once, however many movements there
were. So pixels are interpolated once, a rotation after a crop shows the image beyond the crop, and only the pixels that
are kept are computed.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import IGNORE_ID, Preprocessing
from trainer.datasets.pair import Pair

# The colour outside the image: zero after the network's normalisation.
FILL: tuple[int, int, int] = tuple(round(255 * mean) for mean in Preprocessing().mean)  # type: ignore[assignment]

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """``height`` x ``width`` pixels of ``source``, seen through ``matrix``.

    ``matrix`` (3x3, homogeneous) maps a point x, y of the view to one of the source, both in pixels from the top left
    corner, with pixel centres at one half. ``canvas`` (height, width) is the final size.
    """

    source: Pair
    matrix: Matrix
    height: int
    width: int
    canvas: tuple[int, int]

    @classmethod
    def of(cls, source: Pair, height: int, width: int) -> "View":
        """The whole ``source`` stretched to ``height`` x ``width``, which is its canvas."""
        have_height, have_width = source.mask.shape
        return cls(source, scaling(have_width / width, have_height / height), height, width, (height, width))

    def through(self, matrix: Matrix, height: int | None = None, width: int | None = None) -> "View":
        """A view of this view: ``matrix`` maps the new view's points to this one's."""
        return replace(
            self,
            matrix=self.matrix @ matrix,
            height=self.height if height is None else height,
            width=self.width if width is None else width,
        )

    def resized(self, height: int, width: int) -> "View":
        """The same area in ``height`` x ``width`` pixels."""
        return self.through(scaling(self.width / width, self.height / height), height, width)

    def draw(self) -> Pair:
        """Resample: the image bilinearly, labels by nearest neighbour; outside the source FILL and ignored."""
        if self._is_untouched:
            return Pair(self.source.image, self.source.mask)
        return Pair(self.draw_image(), self.draw_mask())

    def draw_image(self) -> NDArray[np.uint8]:
        """RGB uint8 [height, width, 3]."""
        size = (self.width, self.height)
        if self._is_stretched:  # exactly as clients resize
            return np.asarray(cv2.resize(self.source.image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        # If the view is inside the source, its edge must not be mixed with FILL.
        border = cv2.BORDER_REPLICATE if self._is_inside else cv2.BORDER_CONSTANT
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpAffine(
            self.source.image, self._between_centres, size, flags=flags, borderMode=border, borderValue=FILL
        )
        return np.asarray(drawn, np.uint8)

    def draw_mask(self) -> NDArray[np.uint8]:
        """Class ids uint8 [height, width]."""
        size = (self.width, self.height)
        if self._is_stretched:
            # INTER_NEAREST_EXACT has half-pixel centres; INTER_NEAREST does not, and would shift the mask.
            return np.asarray(cv2.resize(self.source.mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        border = cv2.BORDER_REPLICATE if self._is_inside else cv2.BORDER_CONSTANT
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpAffine(
            self.source.mask, self._between_centres, size, flags=flags, borderMode=border, borderValue=(IGNORE_ID,)
        )
        return np.asarray(drawn, np.uint8)

    @property
    def _between_centres(self) -> Matrix:
        """The matrix for OpenCV: 2x3, from pixel index to pixel index."""
        return (shifting(-0.5, -0.5) @ self.matrix @ shifting(0.5, 0.5))[:2]

    @property
    def _is_stretched(self) -> bool:
        have_height, have_width = self.source.mask.shape
        return np.allclose(self.matrix, scaling(have_width / self.width, have_height / self.height), rtol=0, atol=1e-9)

    @property
    def _is_untouched(self) -> bool:
        return self._is_stretched and self.source.mask.shape == (self.height, self.width)

    @property
    def _is_inside(self) -> bool:
        right, bottom = self.width, self.height
        corners = self.matrix[:2] @ np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]])
        have_height, have_width = self.source.mask.shape
        return bool((corners > -1e-6).all() and (corners < np.array([[have_width], [have_height]]) + 1e-6).all())


def scaling(x: float, y: float) -> Matrix:
    """The matrix that scales points by x, y."""
    return np.array([[x, 0, 0], [0, y, 0], [0, 0, 1]], np.float64)


def shifting(x: float, y: float) -> Matrix:
    """The matrix that shifts points by x, y."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def turning(radians: float) -> Matrix:
    """The matrix that rotates points about 0, 0, clockwise on the screen."""
    cosine, sine = np.cos(radians), np.sin(radians)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], np.float64)
