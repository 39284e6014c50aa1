"""What a conversion target is: the interface between the pipeline and the packages in ``targets/``."""

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from contract import ModelCard
from converter.arguments import Options

if TYPE_CHECKING:  # they import TensorFlow, which a dry run may lack
    from converter.images import Images
    from converter.interface import Interface


@dataclass(frozen=True)
class Table:
    """A table of the report; every row has as many cells as ``head``."""

    head: Tuple[str, ...]
    rows: Tuple[Tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A section of the report; empty tables are left out."""

    title: str
    tables: Tuple[Table, ...] = ()
    items: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What a target did.

    Attributes:
        facts: JSON values for the card's ``engine``.
        frameworks: the versions of what it used, by name, for the card.
        sections: for the report.
    """

    facts: Dict[str, Any]
    frameworks: Dict[str, str]
    sections: Tuple[Section, ...]


class Conversion(ABC):
    """A converted model that can be saved any number of times while the target's scratch folder exists."""

    summary: Summary

    @abstractmethod
    def save(self, folder: Path, card: Optional[ModelCard]) -> None:
        """Write the SavedModel.

        Args:
            folder: empty or absent.
            card: what ``describe`` returns; None for a third-party model, which keeps its own signatures.
        """


class Target(ABC):
    """Turns a SavedModel into another form."""

    @abstractmethod
    def convert(
        self, options: Options, interface: "Interface", scratch: Path, calibration: Optional["Images"]
    ) -> Conversion:
        """Convert the signatures that ``options`` name.

        Args:
            options: what to convert, and how.
            interface: the signature that is always converted, and its tensors.
            scratch: a folder for intermediate files, which does not exist yet.
            calibration: the images to calibrate on, if the options require it.

        Raises:
            ConverterError: it cannot be converted.
        """


def print_progress(message: str) -> None:
    """Print what is being done on standard error."""
    print(f"converter: {message}", file=sys.stderr, flush=True)
