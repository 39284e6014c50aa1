"""The interface of every metric: its names, its formula and what is printed with its value."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.confusion import ConfusionMatrix


@dataclass(frozen=True)
class Measured:
    """What metrics are computed from.

    Attributes:
        confusion: over all pixels that count.
        image_means: of each :class:`ImageMetric` by its name, the values of the classes [C].
    """

    confusion: ConfusionMatrix
    image_means: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class Metric(ABC):
    """A measure of quality over a split, from 0 to 1. Evaluations and their reports iterate over metrics.

    Attributes:
        name: the key of a class's value in an evaluation's JSON; None for a metric without values per class.
        title: the heading of these values.
        overall_name: the key of the split's value; None for a metric without one.
        overall_title: the heading of the split's value.
        note: printed with the split's value, such as a tolerance.
    """

    name: ClassVar[str | None] = None
    title: ClassVar[str] = ""
    overall_name: ClassVar[str | None] = None
    overall_title: ClassVar[str] = ""
    note: str = ""

    @abstractmethod
    def per_class(self, measured: Measured) -> NDArray[np.float64] | None:
        """The value of each class [C], NaN where there is nothing to measure; None if it was not measured."""

    def overall(self, measured: Measured) -> float | None:
        """The split's value: the mean over the classes that have one; None if it was not measured."""
        values = self.per_class(measured)
        return None if values is None else mean_of_present(values)

    def options(self) -> dict[str, Any]:
        """Options that the values depend on, by their keys in an evaluation's JSON."""
        return {}


class ImageMetric(Metric):
    """A metric that is computed image by image; a class's value is the mean over the images that have one."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def is_measured(self) -> bool:
        """Whether to compute it."""

    @abstractmethod
    def of_image(self, labels: NDArray[np.uint8], predictions: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
        """The value of each class [C] in one image, NaN where there is nothing to measure; both arguments [H, W]."""

    def per_class(self, measured: Measured) -> NDArray[np.float64] | None:  # noqa: D102
        return measured.image_means.get(self.name)


def format_value(value: float | None, missing: str = "–") -> str:
    """A metric's value as printed; ``missing`` in place of None."""
    return missing if value is None else f"{value:.4f}"


def mean_of_present(values: NDArray[np.float64]) -> float:
    """The mean of the values that are not NaN; 0 if all are."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else 0.0


def ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """``part / whole`` [C], NaN where ``whole`` is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
