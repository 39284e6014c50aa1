"""When a training has stopped getting better."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from trainer.recipe import StopEarly
from trainer.training.logbook import EpochFigures


@dataclass
class _Progress:
    best: float | None = None
    without: int = 0


class EarlyStopping:
    """Counts validations that brought nothing better; ``options=None`` never ends a training."""

    def __init__(self, options: StopEarly | None) -> None:
        self._options = options
        self._progress = _Progress()

    def update(self, figures: EpochFigures) -> bool:
        """Whether to end after the epoch of these figures; an epoch without validation changes nothing."""
        if self._options is None:
            return False
        by_miou = self._options.monitor == "miou"
        value = figures.validation_miou if by_miou else figures.validation_loss
        if value is None:
            return False
        score = value if by_miou else -value
        if not math.isnan(score) and (self._progress.best is None or score > self._progress.best):
            self._progress = _Progress(score)
        else:
            self._progress.without += 1
        return self._progress.without >= self._options.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {**asdict(self._progress), "monitor": self._options.monitor if self._options else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's :meth:`state`; one of another figure says nothing, and counting starts anew."""
        progress = dict(state)
        if self._options and progress.pop("monitor") == self._options.monitor:
            self._progress = _Progress(**progress)
