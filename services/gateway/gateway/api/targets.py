"""Which model answers, and which of its versions: what a request, and a setting, can name."""

import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator


@dataclass(frozen=True)
class Target:
    """A model's name in serving and its version, by number or by label; with neither, the gateway chooses."""

    model: str
    version: int | None = None
    label: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the version is named, by number or by label."""
        return self.version is not None or self.label is not None

    def __str__(self) -> str:
        """``road``, ``road:3`` or ``road@canary``."""
        if self.label is not None:
            return f"{self.model}@{self.label}"
        return self.model if self.version is None else f"{self.model}:{self.version}"


@dataclass(frozen=True)
class TrafficSplit:
    """A target and the fraction of traffic it gets, above 0 and at most 1."""

    target: Target
    fraction: float

    _SYNTAX = re.compile(r"([^:@=]+)(?::([1-9]\d*)|@([^=]+))?=(0?\.\d+|1(?:\.0+)?)")

    @classmethod
    def parse(cls, text: str) -> Self:
        """``model=0.1``, ``model:version=0.1`` or ``model@label=0.1``.

        Raises:
            ValueError: anything else.
        """
        match = cls._SYNTAX.fullmatch(text.strip())
        if not match or not float(match[4]):
            raise ValueError(
                "expected a model, optionally with :version or @label, and a fraction above 0 and up to 1, as in "
                "road:3=0.1 or road@canary=0.1"
            )
        version = int(match[2]) if match[2] else None
        return cls(Target(match[1], version, match[3]), float(match[4]))


def _parse_split(value: object) -> object:
    return TrafficSplit.parse(value) if isinstance(value, str) else value


def _check_label(text: str) -> str:
    if not re.fullmatch(r"(?!\d+$)[^\s@:=]+", text) or not text.isprintable():
        raise ValueError(
            "expected a label alone, one word such as stable, without a model, a version, a fraction or spaces"
        )
    return text


# The same as fields of the settings, parsed from text.
TrafficSplitSetting = Annotated[TrafficSplit, BeforeValidator(_parse_split)]
LabelSetting = Annotated[str, AfterValidator(_check_label)]
