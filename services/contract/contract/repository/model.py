"""One model of the repository, as the commands that change it see it: under the lock, or read only."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, Optional

from contract.card import check_model_name
from contract.folders import version_folders
from contract.repository.lock import clear_leftovers, locked
from contract.serving_config import models_config
from contract.serving_config.models_config import ListedModel


class RepositoryError(RuntimeError):
    """A request that the repository's state does not allow; the message lists what exists. Nothing was changed."""


@dataclass(frozen=True)
class RepositoryModel:
    """A model's version folders, and the file that lists it; ``listed`` is None if it is not listed yet."""

    name: str
    config: Path
    folders: Dict[int, Path]
    listed: Optional[ListedModel]

    def check_has(self, version: int) -> None:
        """Raise :class:`RepositoryError` unless it has this version."""
        if version not in self.folders:
            raise RepositoryError(
                f"version {version} of {self.name} not found; its versions: {joined(sorted(self.folders))}"
            )


def find_model(models_root: Path, name: str) -> RepositoryModel:
    """Read the model's state; without the lock it may change at any time.

    Raises:
        CardError: not a valid model name.
        RepositoryError: there is no such model.
        ModelsConfigError: models.config cannot be read.
    """
    check_model_name(name)
    folders = version_folders(models_root, name)
    if not folders:
        there = sorted(path.name for path in models_root.glob("*") if version_folders(models_root, path.name))
        raise RepositoryError(f"model {name!r} not found in {models_root}; published models: {joined(there)}")
    return RepositoryModel(
        name, models_config.home(models_root, name), folders, models_config.listed(models_root).get(name)
    )


@contextlib.contextmanager
def locked_model(models_root: Path, name: str) -> Iterator[RepositoryModel]:
    """The model, under the repository's lock, once what a killed writer left has been removed."""
    find_model(models_root, name)  # an unknown repository gets no lock file
    with locked(models_root):
        model = find_model(models_root, name)
        clear_leftovers(models_root)
        clear_leftovers(models_root / name)
        yield model


def joined(things: Iterable[object]) -> str:
    """A list for a message: ``1, 2``, or ``none``."""
    return ", ".join(map(str, things)) or "none"
