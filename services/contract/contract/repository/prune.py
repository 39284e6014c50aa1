"""Removing versions that serving does not load, which frees their disk space: all of a model's, or one."""

import itertools
from pathlib import Path
from typing import List

from contract import checksums
from contract.durable import sync
from contract.repository.lock import TEMPORARY_PREFIX, remove
from contract.repository.model import RepositoryError, RepositoryModel, find_model, locked_model
from contract.serving_config import models_config
from contract.serving_config.version_policy import TWO_NEWEST


def prune(models_root: Path, name: str, keep: int = TWO_NEWEST.count, dry_run: bool = False) -> List[int]:
    """Remove a model's versions that are neither loaded nor labelled, the oldest first.

    The newest version and the ``keep`` newest undamaged ones are never removed: while the newest are damaged, serving
    still has the last undamaged one loaded, under any policy. A version is renamed, which hides it from serving,
    before it is deleted. A version that was loaded for a label that has moved is removed the next time.

    Returns:
        The versions removed, or to be removed in a ``dry_run``.

    Raises:
        RepositoryError: no such model.
        ModelsConfigError: models.config cannot be read.
    """
    if dry_run:
        return _prunable(find_model(models_root, name), keep)
    with locked_model(models_root, name) as model:
        gone = _prunable(model, keep)
        if model.listed is not None:
            models_config.list_model(model.config, name, model.folders)
        for version in gone:
            _remove(model, version)
    return gone


def remove_version(models_root: Path, name: str, version: int) -> None:
    """Remove one version, which serving does not load and no label names. A reader sees all of it or nothing.

    The newest version stays, as the next publish would take its number again.

    Raises:
        RepositoryError: no such model or version, or it is in use; the message says by what.
        ModelsConfigError: models.config cannot be read.
    """
    with locked_model(models_root, name) as model:
        model.check_has(version)
        if version not in _prunable(model, keep=1):
            raise RepositoryError(f"{name} {version} was not removed: {_use(model, version)}")
        _remove(model, version)


def _use(model: RepositoryModel, version: int) -> str:
    """Why a version has to stay, and what would free it."""
    listed = model.listed
    labels = sorted(label for label, number in (listed.labels if listed else {}).items() if number == version)
    if labels:
        return (
            f"label {labels[0]} points at it; move the label first: "
            f"`segstack models label {model.name} {labels[0]} VERSION`"
        )
    if version == max(model.folders):
        return "it is the newest version, whose number the next publish would take again; publish another one first"
    if listed is not None and version in listed.policy.loads(model.folders):
        return (
            f"serving loads it by the policy in {model.config} ({listed.policy}); publish newer versions first, or, "
            f"where a label has just left it: `segstack models prune {model.name}`"
        )
    return "serving falls back on it while newer versions are damaged; publish another one first"


def _remove(model: RepositoryModel, version: int) -> None:
    folder = model.folders[version]
    hidden = folder.with_name(f"{TEMPORARY_PREFIX}pruned-{version}")
    folder.rename(hidden)
    sync(hidden.parent)
    remove(hidden)


def _prunable(model: RepositoryModel, keep: int) -> List[int]:
    kept = {max(model.folders)}
    if model.listed is not None:
        kept |= model.listed.policy.loads(model.folders)
        kept |= set(model.listed.labels.values())
        if not model.listed.by_hand:
            kept |= TWO_NEWEST.loads(model.folders)
    whole = (version for version in sorted(model.folders, reverse=True) if not checksums.damage(model.folders[version]))
    kept |= set(itertools.islice(whole, keep))
    return sorted(set(model.folders) - kept)
