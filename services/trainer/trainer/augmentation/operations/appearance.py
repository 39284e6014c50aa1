"""Operations that change an image's pixels and not its mask."""

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from trainer.augmentation.operations.operation import Change, Donors, register
from trainer.datasets.pair import Pair
from trainer.recipe_values import Fraction, PositiveRange

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_RGB_TO_YIQ = np.array([_LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)


@register("photometric")
class Photometric(Change):
    """Random light: each value bounds a factor's distance from 1, for brightness and hue an offset's from 0.

    Brightness is a fraction of white, hue of the colour circle; contrast is relative to the image's mean grey; hue
    rotates in YIQ, at constant luma. The four are one affine map of colours, applied once.
    """

    brightness: Fraction = 0.2
    contrast: Fraction = 0.2
    saturation: Fraction = 0.2
    hue: float = Field(0.0, ge=0, le=0.5)

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The image in different light."""
        bounds = (self.brightness, self.contrast, self.saturation, self.hue)
        brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4) * bounds
        turn = 2 * np.pi * hue
        chroma = (1 + saturation) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        yiq = np.eye(3)
        yiq[1:, 1:] = chroma
        colors = (1 + contrast) * (_YIQ_TO_RGB @ yiq @ _RGB_TO_YIQ)
        grey = float(_LUMA @ cv2.mean(pair.image)[:3])
        offset = 255 * brightness - contrast * grey
        return _with_image(pair, cv2.transform(pair.image, np.column_stack([colors, [offset] * 3])))


@register("blur")
class Blur(Change):
    """A Gaussian blur whose standard deviation, in pixels, is drawn from ``sigma``."""

    probability: Fraction = 0.5
    sigma: PositiveRange = (0.1, 2.0)

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The image blurred."""
        return _with_image(pair, cv2.GaussianBlur(pair.image, (0, 0), rng.uniform(*self.sigma)))


@register("jpeg")
class Jpeg(Change):
    """JPEG artefacts of a quality drawn from ``quality`` (1 to 100)."""

    probability: Fraction = 0.5
    quality: PositiveRange = (40, 95)

    @field_validator("quality")
    @classmethod
    def _is_a_jpeg_quality(cls, quality: tuple[float, float]) -> tuple[float, float]:
        if not 1 <= quality[0] <= quality[1] <= 100:
            raise ValueError(f"from {quality[0]:g} to {quality[1]:g}: expected qualities of 1 to 100")
        return quality

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The image encoded as JPEG and decoded."""
        quality = round(rng.uniform(*self.quality))
        bgr = cv2.cvtColor(pair.image, cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return _with_image(pair, np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)))


def _with_image(pair: Pair, image: NDArray) -> Pair:
    return Pair(np.asarray(image, np.uint8), pair.mask)
