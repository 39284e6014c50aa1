"""What is converted: a published model, or a third-party SavedModel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from contract import CardError, ModelCard, versions
from contract.card import check_model_name
from contract.folders import CARD_PATH, ENGINE_PATH
from converter.errors import ConverterError


@dataclass(frozen=True)
class Source:
    """A SavedModel; ``version`` and ``card`` are None if Segstack did not publish it."""

    folder: Path
    name: str
    version: Optional[int]
    card: Optional[ModelCard]

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}:{self.version}"


def find_source(path: Path) -> Source:
    """The SavedModel at ``path``, or the newest version below it.

    Raises:
        ConverterError: there is none, its card or name is invalid, or it is already converted.
    """
    folder = path.absolute()
    if not _is_saved_model(folder):
        folder = folder / str(max(versions(folder.parent, folder.name), default=""))
    if not _is_saved_model(folder):
        raise ConverterError(
            f"{path} is not a model: expected models_repo/NAME, models_repo/NAME/VERSION, or the folder of a "
            "SavedModel (with saved_model.pb)"
        )
    source = _published(folder) if (folder / CARD_PATH).is_file() else _third_party(folder)
    if source.card is not None and source.card.derived_from is not None:
        raise ConverterError(f"{source.name} is already converted: convert {source.card.derived_from} instead")
    return source


def _published(folder: Path) -> Source:
    try:
        card = ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except CardError as error:
        raise ConverterError(f"{folder / CARD_PATH}: {error}") from None
    if card.name != folder.parent.name or not folder.name.isdigit():
        raise ConverterError(
            f"{folder} is not where it was published: its card says {card.name}; expected its original folder"
        )
    return Source(folder, card.name, int(folder.name), card)


def _third_party(folder: Path) -> Source:
    """Named after its folder, or after the parent folder if its own name is a version."""
    is_version = folder.name.isdigit()
    name = (folder.parent if is_version else folder).name
    try:
        check_model_name(name)
    except CardError as error:
        raise ConverterError(f"{folder}: {error}; rename the folder, because the model is named after it") from None
    if (folder / ENGINE_PATH).exists():
        raise ConverterError(f"{folder} is already converted: convert its source instead")
    return Source(folder, name, int(folder.name) if is_version else None, None)


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()
