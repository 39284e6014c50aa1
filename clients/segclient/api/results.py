"""Results: masks with their classes, the model that made them, and timings."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segclient import images
from segclient.images import Mask, RgbArray

# Names of class 0 where it means "no object"; overlays leave it unpainted, as the gateway's do.
_BACKGROUND_NAMES = frozenset({"background", "_background_"})


@dataclass(frozen=True)
class ClassInfo:
    """One class of a model: its pixel value in masks, its name, and its RGB colour."""

    id: int
    name: str
    color: tuple[int, int, int]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Parse the gateway's JSON."""
        red, green, blue = fields["color"]
        return cls(int(fields["id"]), str(fields["name"]), (int(red), int(green), int(blue)))

    @property
    def is_background(self) -> bool:
        """Whether it means "no object"."""
        return self.id == 0 and self.name.casefold() in _BACKGROUND_NAMES


@dataclass(frozen=True)
class Timings:
    """Milliseconds by stage of the gateway, and from sending the request to receiving the reply."""

    decode_ms: float
    queue_ms: float
    infer_ms: float
    encode_ms: float
    round_trip_ms: float


@dataclass(frozen=True)
class Models:
    """The models of the gateway; ``default`` answers requests that name none, and is None while there is none."""

    names: tuple[str, ...]
    default: str | None


@dataclass(frozen=True)
class Reply:
    """A reply as the gateway encoded it.

    Attributes:
        body: PNG, JPEG, WebP or JSON, see ``media_type``.
        model, version: the model that answered.
        request_id: identifies the request in the gateway's log.
    """

    body: bytes
    media_type: str
    model: str
    version: int
    timings: Timings
    request_id: str


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A mask with its classes.

    Attributes:
        mask: uint8 [H,W] class ids, or ``ignore_id``.
        classes: all classes of the model, including those absent from the mask.
        model, version: the model that answered.
    """

    mask: Mask
    classes: tuple[ClassInfo, ...]
    ignore_id: int
    model: str
    version: int
    timings: Timings

    @cached_property
    def areas(self) -> dict[str, float]:
        """Fraction of all pixels by class name, for each class in the mask."""
        counts = np.bincount(self.mask.reshape(-1), minlength=256)
        return {c.name: float(counts[c.id] / self.mask.size) for c in self.classes if counts[c.id]}

    def stretched(self, height: int, width: int) -> Self:
        """A copy with the mask resized by nearest neighbour: no new ids."""
        return replace(self, mask=images.stretch(self.mask, height, width))

    def color(self) -> RgbArray:
        """The mask in its classes' colours, uint8 [H,W,3], RGB; black where there is no class."""
        return images.colorize(self.mask, self._colors)

    def overlay(self, image: RgbArray, alpha: float = 0.5) -> RgbArray:
        """``image``, uint8 [H,W,3] RGB of any size, blended with the classes' colours.

        ``alpha`` 0 shows only the image, 1 only the colours; ignored and background pixels keep the image's colour.
        """
        return images.overlay(image, self.mask, self._colors, self._painted, alpha)

    @property
    def _colors(self) -> NDArray[np.uint8]:
        table = np.zeros((256, 3), np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        return table

    @property
    def _painted(self) -> NDArray[np.uint8]:
        table = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.id] = 0 if c.is_background else 255
        return table


@dataclass(frozen=True, eq=False)
class StreamResult(Segmentation):
    """The segmentation of one frame of a stream.

    Attributes:
        frame: the frame that was segmented, unchanged.
        sequence: its number, from 0; missing numbers were dropped for newer frames.
        dropped: frames dropped since the previous result.
    """

    frame: RgbArray
    sequence: int
    dropped: int

    def overlay(self, image: RgbArray | None = None, alpha: float = 0.5) -> RgbArray:
        """As :meth:`Segmentation.overlay`, by default over the frame itself."""
        return super().overlay(self.frame if image is None else image, alpha)
