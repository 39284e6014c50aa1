"""What looking after the repository has in common: one model, held under the lock, and refusals in one sentence."""

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
    """A request that the repository does not allow; the message says what it has instead. Nothing was changed."""


@dataclass(frozen=True)
class RepositoryModel:
    """A model as it stands in the repository, and the file that lists it; ``listed`` is None when that is to come."""

    name: str
    config: Path
    folders: Dict[int, Path]
    listed: Optional[ListedModel]

    def check_has(self, version: int) -> None:
        """Raise :class:`RepositoryError` unless it has this version."""
        if version not in self.folders:
            raise RepositoryError(f"{self.name} has no version {version}: it has {joined(sorted(self.folders))}")


def find_model(models_root: Path, name: str) -> RepositoryModel:
    """The model as it stands now; without the lock it may change at any time.

    Raises:
        CardError: no model can have this name.
        RepositoryError: there is no such model.
        ModelsConfigError: models.config cannot be read.
    """
    check_model_name(name)
    folders = version_folders(models_root, name)
    if not folders:
        there = sorted(path.name for path in models_root.glob("*") if version_folders(models_root, path.name))
        raise RepositoryError(f"{models_root} has no published model {name!r}: it has {joined(there)}")
    return RepositoryModel(
        name, models_config.home(models_root, name), folders, models_config.listed(models_root).get(name)
    )


@contextlib.contextmanager
def locked_model(models_root: Path, name: str) -> Iterator[RepositoryModel]:
    """The model under the repository's lock, with nothing left of a killed writer."""
    find_model(models_root, name)  # what is no repository gets no lock file
    with locked(models_root):
        model = find_model(models_root, name)
        clear_leftovers(models_root)
        clear_leftovers(models_root / name)
        yield model


def joined(things: Iterable[object]) -> str:
    """What there is, for a sentence that refuses what there is not."""
    return ", ".join(map(str, things)) or "none"
