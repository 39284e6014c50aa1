"""Pruning: versions that nobody is served go, and their disk space comes back."""

import itertools
from pathlib import Path
from typing import List

from contract.repository import checksums
from contract.repository.durable import sync
from contract.repository.lock import TEMPORARY_PREFIX, remove
from contract.repository.upkeep import HeldModel, held, look_up
from contract.serving_config import models_config
from contract.serving_config.version_policy import TWO_NEWEST


def prune(models_root: Path, name: str, keep: int = TWO_NEWEST.count, dry_run: bool = False) -> List[int]:
    """Remove a model's versions that serving is not told to load and no label names, the oldest first.

    Never removed are the newest version, and the ``keep`` newest whole ones: while the newest are damaged, serving
    still has the last whole one loaded, whatever the policy says. A version is renamed out of serving's sight before
    it is deleted. A version that the policy loaded until now, for a label that has moved, goes the next time.

    Returns:
        The versions removed, or to be removed in a ``dry_run``.

    Raises:
        UpkeepError: no such model.
        ModelsConfigError: models.config cannot be read.
    """
    if dry_run:
        return _prunable(look_up(models_root, name), keep)
    with held(models_root, name) as model:
        gone = _prunable(model, keep)
        if model.listed is not None:
            models_config.list_model(model.config, name, model.folders)
        for version in gone:
            folder = model.folders[version]
            hidden = folder.with_name(f"{TEMPORARY_PREFIX}pruned-{version}")
            folder.rename(hidden)
            sync(hidden.parent)
            remove(hidden)
    return gone


def _prunable(model: HeldModel, keep: int) -> List[int]:
    kept = {max(model.folders)}
    if model.listed is not None:
        kept |= model.listed.policy.loads(model.folders)
        kept |= set(model.listed.labels.values())
        if not model.listed.by_hand:
            kept |= TWO_NEWEST.loads(model.folders)
    whole = (version for version in sorted(model.folders, reverse=True) if not checksums.damage(model.folders[version]))
    kept |= set(itertools.islice(whole, keep))
    return sorted(set(model.folders) - kept)
