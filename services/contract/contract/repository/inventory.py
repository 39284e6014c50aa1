"""What is in the repository, as far as its files tell: versions, sizes, labels, and what their cards say.

Reads only, and takes no lock: a version that is published or pruned meanwhile is in the list or is not.
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
UNLISTED = "unlisted"  # neither models.config nor models.gpu.config knows the model
INCOMPLETE = "incomplete"  # files are missing that its publishing wrote
LEFTOVER = "leftover"  # .tmp-…: being written, or left by a writer that was killed


@dataclass(frozen=True)
class StoredVersion:
    """One folder of a model; ``version`` is None for a leftover, whose name ``folder`` has."""

    folder: str
    version: Optional[int]
    state: str
    size_bytes: int
    labels: Tuple[str, ...] = ()
    card: Optional[ModelCard] = None


@dataclass(frozen=True)
class StoredModel:
    """A model: its folders, the newest version first, and what is said where it is listed (None: it is not)."""

    name: str
    listed: Optional[ListedModel]
    versions: Tuple[StoredVersion, ...]
    needs_its_gpu: bool = False

    @property
    def warnings(self) -> List[str]:
        """What serving will stumble over, in a sentence each."""
        if self.listed is None:
            return [f"{self.name} is not listed in models.config, so it is not served: publishing lists it"]
        there = {stored.version for stored in self.versions if stored.version is not None}
        if not there:
            return [f"{self.name} is listed but has no version, which holds up TensorFlow Serving: take it out"]
        warnings = []
        if self.needs_its_gpu and not self.listed.gpu_only:
            warnings.append(
                f"{self.name} runs only on the GPU that it was converted on and is listed in models.config, which is "
                "for every machine: its config { … } belongs in models.gpu.config alone"
            )
        loaded = self.listed.policy.loads(there)
        for label, version in self.listed.labels.items():
            if version not in there:
                warnings.append(
                    f"label {label} of {self.name} points at version {version}, which is not there: move or remove it"
                )
            elif version not in loaded:
                warnings.append(
                    f"label {label} of {self.name} points at version {version}, which its policy, written by hand "
                    f"({self.listed.policy}), does not load: move or remove it, or add the version to the policy"
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
    """By name only: reading every byte is for those who are about to rely on a version."""
    try:
        paths: Iterable[str] = checksums.read(folder) or ()
    except (OSError, ValueError):
        return False
    return all((folder / path).is_file() for path in ["saved_model.pb", *paths])


def _card(folder: Path) -> Optional[ModelCard]:
    try:
        return ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except (OSError, CardError):
        return None  # another's model, or a damaged one: it has no card to show


def _size_bytes(folder: Path) -> int:
    """Of its files; one that goes away meanwhile counts nothing."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
