"""Rolling back: an earlier version is published again, as the next number."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional

from contract import checksums
from contract.card import CardError, ModelCard
from contract.folders import CARD_PATH
from contract.repository.model import RepositoryError, locked_model
from contract.repository.publish import publish_next
from contract.serving_config.version_policy import Specific


@dataclass(frozen=True)
class Rollback:
    """The outcome: ``source`` was published again as ``version`` and replaces ``replaced`` as the newest."""

    source: int
    version: int
    replaced: int


def rollback(models_root: Path, name: str, to: Optional[int] = None) -> Rollback:
    """Publish an earlier version again, as the next number.

    Clients that request no version get the newest, and numbers only increase: a number never changes its meaning, so
    caches by version stay correct. The copy equals its source byte for byte, with the model card, which ``describe``
    returns from inside the graph: ``created_at`` is still the time at which the model was made. Files are copied, not
    linked, so that damage to the copy does not affect its source. Nothing here can load a SavedModel: the copy is
    compared with the checksums of its publishing, which included a load check, and serving replays its warm-up file.

    Args:
        models_root: the repository.
        name: the model.
        to: the version to publish again; by default the one before the newest. If the newest is itself the copy of a
            version, the one before that version: rolling back twice goes two versions back.

    Raises:
        RepositoryError: no such model or version, no earlier one, it is damaged, or the policy would not load the copy.
        ModelsConfigError: models.config cannot be read.
    """
    with locked_model(models_root, name) as model:
        newest = max(model.folders)
        if to is None:
            source = _previous(model.folders, name)
        else:
            model.check_has(to)
            source = to
        if source == newest:
            raise RepositoryError(f"{name} {source} is already the newest version: choose an earlier one with --to")
        if model.listed is not None and model.listed.by_hand and isinstance(model.listed.policy, Specific):
            raise RepositoryError(
                f"{model.config}: the hand-written policy of {name} ({model.listed.policy}) would not load a new "
                "version; add the version to serve there instead"
            )
        expected = _whole(model.folders[source], name, source)
        version = publish_next(
            models_root,
            name,
            _card(model.folders[source], name, source),
            write=lambda folder: _copy(model.folders[source], folder),
            check=lambda folder: _check_copy(folder, expected),
        )
    return Rollback(source, version, newest)


def _previous(folders: Mapping[int, Path], name: str) -> int:
    """The version before the newest, or before the one that the newest is a copy of."""
    newest = max(folders)
    sums = {version: _sums(folder) for version, folder in folders.items()}
    first = min(
        version for version in folders if version == newest or (sums[version] and sums[version] == sums[newest])
    )
    earlier = [version for version in folders if version < first]
    if not earlier:
        same = f" (version {newest} is version {first} again)" if first != newest else ""
        raise RepositoryError(f"{name} has no version before {first}{same}: choose one with --to")
    return max(earlier)


def _sums(folder: Path) -> Optional[Dict[str, str]]:
    try:
        return checksums.read(folder)
    except ValueError:
        return None  # damaged: equal to no other version


def _card(folder: Path, name: str, version: int) -> Optional[ModelCard]:
    """The card of an undamaged version; None for a third-party model, published without one."""
    try:
        card = ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except FileNotFoundError:
        if checksums.read(folder) is not None:
            return None
        raise RepositoryError(
            f"{name} {version} has no {CARD_PATH}, so it cannot be published again: export the model again"
        ) from None
    except CardError as error:
        raise RepositoryError(f"{folder / CARD_PATH}: {error}") from None
    if card.name != name:
        raise RepositoryError(
            f"{name} {version} was published as {card.name}: roll back {card.name}, or export {name} again"
        )
    return card


def _whole(folder: Path, name: str, version: int) -> Dict[str, str]:
    """The checksums of a version, after verifying that its files are undamaged."""
    damage = checksums.damage(folder)
    if damage:
        raise RepositoryError(f"{name} {version} is damaged: {damage}; choose another version with --to")
    return checksums.read(folder) or checksums.of(folder)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(str(source), str(folder), dirs_exist_ok=True)


def _check_copy(folder: Path, expected: Mapping[str, str]) -> None:
    copied = checksums.read(folder) or {}
    for path, digest in expected.items():
        if copied.get(path) != digest:
            raise RepositoryError(f"{path} differs in the copy, so nothing was published; check the disk")
