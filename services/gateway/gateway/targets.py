"""Who is to answer: a model, and which of its versions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A model's name in serving and its version, by number or by label; with neither, the newest loaded."""

    model: str
    version: int | None = None
    label: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether a version was asked for, in whichever way."""
        return self.version is not None or self.label is not None

    def __str__(self) -> str:
        """``road``, ``road:3`` or ``road@canary``."""
        if self.label is not None:
            return f"{self.model}@{self.label}"
        return self.model if self.version is None else f"{self.model}:{self.version}"
