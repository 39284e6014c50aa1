"""Drawn objects with a typical shape and colour, composed onto a photograph.

Shape and colour both distinguish the classes, as with real objects: with random colours a small network reaches half
the mIoU. All lengths are in pixels; positions and sizes are floats, edges are anti-aliased.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Contour = NDArray[np.float64]

_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class DrawnClass:
    """A class of the drawn set: its label's RGB colour, its objects' typical HSV (OpenCV ranges) and outline."""

    name: str
    label_color: tuple[int, int, int]
    hsv: tuple[int, int, int]
    outline: Callable[[np.random.Generator], Contour]
    height_fraction: tuple[float, float]


def _around(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> Contour:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _apple(rng: np.random.Generator) -> Contour:
    """A disc with a dent at the stem."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    dent = 0.22 * np.exp(-(((angle - 1.5 * np.pi) / 0.33) ** 2))
    bumps = 0.03 * np.sin(5 * angle + rng.uniform(0, 6))
    return _around(0.5 - dent + bumps * 0.5, angle)


def _banana(rng: np.random.Generator) -> Contour:
    """A crescent, thickest in its middle."""
    bend = rng.uniform(1.9, 2.4)
    along = np.linspace(-bend / 2, bend / 2, 40)
    thickness = 0.15 * np.sqrt(np.clip(1 - (2 * along / bend) ** 4, 0.02, 1))
    outer, inner = _around(0.52 + thickness, along), _around((0.52 - thickness)[::-1], along[::-1])
    contour = np.concatenate([outer, inner])
    return contour - contour.mean(axis=0)


def _leaf(rng: np.random.Generator) -> Contour:
    """A lens with two points and a toothed edge."""
    along = np.linspace(-1, 1, 48)
    width = rng.uniform(0.2, 0.27) * (1 - along**2) ** 0.8 * (1 + 0.08 * np.sin(22 * along))
    upper, lower = np.stack([along * 0.6, width], axis=1), np.stack([along * 0.6, -width], axis=1)[::-1]
    return np.concatenate([upper, lower])


def _plum(rng: np.random.Generator) -> Contour:
    """A slightly egg-shaped ellipse."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    contour = _around(np.full_like(angle, 0.5), angle)
    contour[:, 1] *= rng.uniform(0.66, 0.8) * (1 + 0.12 * np.cos(angle))
    return contour


# Label colours of Okabe and Ito's colour-blind-safe palette, each far from its object's own colour, for overlays.
CLASSES = (
    DrawnClass("apple", (86, 180, 233), (176, 205, 190), _apple, (0.28, 0.5)),
    DrawnClass("banana", (213, 94, 0), (26, 200, 235), _banana, (0.35, 0.6)),
    DrawnClass("leaf", (240, 228, 66), (58, 185, 140), _leaf, (0.35, 0.6)),
    DrawnClass("plum", (0, 158, 115), (140, 150, 115), _plum, (0.26, 0.44)),
)


def draw_object(image: Image, kind: DrawnClass, rng: np.random.Generator, clearance: Image) -> NDArray[np.bool_]:
    """Draw one object of ``kind`` with a soft shadow on ``image`` (RGB uint8 [H, W, 3], changed in place).

    ``clearance`` (uint8 [H, W], non-zero at objects drawn before) is used to choose a free place if there is one.

    Returns:
        The pixels that are covered by at least half, bool [H, W].
    """
    height, width = image.shape[:2]
    size = rng.uniform(*kind.height_fraction) * height
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shape = kind.outline(rng) @ rotation * size
    contour = shape + _free_place(size, clearance, rng)

    coverage = _fill(contour, (height, width))
    shadow = _fill(contour + size * np.array([0.05, 0.09]), (height, width))
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, size * 0.06))[..., None] * rng.uniform(0.25, 0.5)
    alpha = coverage[..., None]
    shaded = _shade(coverage, kind, size, rng)
    image[:] = np.clip(image * (1 - shadow) * (1 - alpha) + shaded * alpha, 0, 255).astype(np.uint8)
    return coverage >= 0.5


def _free_place(size: float, clearance: Image, rng: np.random.Generator) -> NDArray[np.float64]:
    """The least covered of six random centres; objects can still overlap or be partly outside."""
    height, width = clearance.shape
    centres = rng.uniform([0.05 * width, 0.1 * height], [0.95 * width, 0.9 * height], (6, 2))
    reach = int(size * 0.5)

    def covered(centre: NDArray[np.float64]) -> float:
        x, y = centre.astype(int)
        return float(clearance[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].mean())

    return min(centres, key=covered)


def _fill(contour: Contour, size: tuple[int, int]) -> NDArray[np.float32]:
    """Coverage 0..1 of each pixel."""
    canvas = np.zeros(size, np.uint8)
    points = np.round(contour * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas.astype(np.float32) / np.float32(255)


def _shade(
    coverage: NDArray[np.float32], kind: DrawnClass, size: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The object's surface, float32 RGB [H, W, 3]: lit from above left, darker to the rim, a highlight, some grain."""
    jitter = rng.normal(0, (3.0, 14.0, 16.0))
    hue = (kind.hsv[0] + jitter[0]) % 180
    saturation, value = np.clip(np.array(kind.hsv[1:]) + jitter[1:], 40, 255)
    base = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)

    depth = cv2.distanceTransform((coverage > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    roundness = np.sqrt(np.clip(depth / max(1.0, size * 0.22), 0, 1))
    gradient_y, gradient_x = np.gradient(cv2.GaussianBlur(roundness, (0, 0), max(1.0, size * 0.05)))
    light = 0.68 + 0.34 * roundness + np.clip((gradient_x + gradient_y) * size * 0.09, -0.25, 0.25)
    grain = cv2.GaussianBlur(rng.normal(0, 1, coverage.shape).astype(np.float32), (0, 0), max(0.8, size * 0.012))
    surface = base * (light + grain * 0.12)[..., None]
    highlight = np.clip((gradient_x + gradient_y) * size * 0.12 - 0.18, 0, 0.5) * (roundness > 0.4)
    return (surface + 255 * cv2.GaussianBlur(highlight.astype(np.float32), (0, 0), 1.5)[..., None]).astype(np.float32)
