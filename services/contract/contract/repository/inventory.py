"""The repository's contents according to its files: versions, sizes, labels and cards.

It only reads, without the lock: a version published or pruned meanwhile may or may not be in the list.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional, Tuple

from contract import checksums
from contract.card import CardError, ModelCard
from contract.folders import CARD_PATH, needs_its_gpu, version_folders
from contract.repository.lock import TEMPORARY_PREFIX
from contract.serving_config import models_config
from contract.serving_config.models_config import ListedModel

LOADED = "loaded"  # the policy in models.config or models.gpu.config has serving load it
KEPT = "kept"  # on disk only
UNLISTED = "unlisted"  # neither models.config nor models.gpu.config lists the model
INCOMPLETE = "incomplete"  # files that were published are missing
LEFTOVER = "leftover"  # .tmp-…: being written, or left by a killed writer


@dataclass(frozen=True)
class StoredVersion:
    """One folder of a model; ``version`` is None for a leftover, whose name is ``folder``."""

    folder: str
    version: Optional[int]
    state: str
    size_bytes: int
    labels: Tuple[str, ...] = ()
    card: Optional[ModelCard] = None


@dataclass(frozen=True)
class StoredModel:
    """A model: its folders, the newest version first, and its entry in models.config (None: not listed)."""

    name: str
    listed: Optional[ListedModel]
    versions: Tuple[StoredVersion, ...]
    needs_its_gpu: bool = False

    @property
    def warnings(self) -> List[str]:
        """What will cause problems in serving, one sentence each."""
        if self.listed is None:
            return [f"{self.name} is not listed in models.config, so it is not served: publish a version to list it"]
        there = {stored.version for stored in self.versions if stored.version is not None}
        if not there:
            return [
                f"{self.name} is listed but has no version, which blocks TensorFlow Serving: remove it from the file"
            ]
        warnings = []
        if self.needs_its_gpu and not self.listed.gpu_only:
            warnings.append(
                f"{self.name} runs only on the GPU that it was converted on, but is listed in models.config, which is "
                "for every machine: move its config { … } to models.gpu.config"
            )
        loaded = self.listed.policy.loads(there)
        for label, version in self.listed.labels.items():
            if version not in there:
                warnings.append(
                    f"label {label} of {self.name} points at version {version}, which does not exist: move or remove it"
                )
            elif version not in loaded:
                warnings.append(
                    f"label {label} of {self.name} points at version {version}, which its hand-written policy "
                    f"({self.listed.policy}) does not load: move or remove it, or add the version to the policy"
                )
        return warnings


def stored_models(models_root: Path) -> List[StoredModel]:
    """Every model with a folder or a line in models.config or models.gpu.config, by name.

    Raises:
        ModelsConfigError: one of them cannot be read.
    """
    listed = models_config.listed(models_root)
    names = set(listed) | {path.name for path in models_root.glob("*") if path.is_dir() and _is_model(path)}
    return [_model(models_root, name, listed.get(name)) for name in sorted(names)]


def _is_model(folder: Path) -> bool:
    return bool(version_folders(folder.parent, folder.name)) or any(folder.glob(TEMPORARY_PREFIX + "*"))


def _model(models_root: Path, name: str, listed: Optional[ListedModel]) -> StoredModel:
    folders = version_folders(models_root, name)
    loaded = listed.policy.loads(folders) if listed else ()
    stored = []
    for version in sorted(folders, reverse=True):
        folder = folders[version]
        state = UNLISTED if listed is None else LOADED if version in loaded else KEPT
        labels = tuple(
            sorted(label for label, number in (listed.labels if listed else {}).items() if number == version)
        )
        stored.append(
            StoredVersion(
                folder.name,
                version,
                state if _is_complete(folder) else INCOMPLETE,
                _size_bytes(folder),
                labels,
                _card(folder),
            )
        )
    for leftover in sorted((models_root / name).glob(TEMPORARY_PREFIX + "*")):
        stored.append(StoredVersion(leftover.name, None, LEFTOVER, _size_bytes(leftover)))
    return StoredModel(name, listed, tuple(stored), needs_its_gpu(models_root, name))


def _is_complete(folder: Path) -> bool:
    """Checks only names: the commands that are about to use a version read every byte."""
    try:
        paths: Iterable[str] = checksums.read(folder) or ()
    except (OSError, ValueError):
        return False
    return all((folder / path).is_file() for path in ["saved_model.pb", *paths])


def _card(folder: Path) -> Optional[ModelCard]:
    try:
        return ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except (OSError, CardError):
        return None  # a third-party model, or a damaged one: there is no card to show


def _size_bytes(folder: Path) -> int:
    """The size of its files; one that disappears meanwhile counts 0."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
