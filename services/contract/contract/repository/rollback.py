"""Rolling back: an earlier version serves again, published anew as the next number."""

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
    """What rolling back did: ``source`` is published again as ``version``, in front of ``replaced``."""

    source: int
    version: int
    replaced: int


def rollback(models_root: Path, name: str, to: Optional[int] = None) -> Rollback:
    """Have an earlier version serve again, by publishing it anew as the next number.

    Clients that ask for no version get the newest, and the newest only ever goes up: a version number never comes to
    mean another model, and whoever caches by it stays right. The copy is the source to the byte, the model card too,
    which ``describe`` answers from inside the graph: ``created_at`` stays when the model was made. Files are copied,
    not linked, so that a damaged copy never takes its source with it. Nothing here can load a SavedModel: the copy is
    compared with the sums of its publishing, when it passed a real load check, and its warm-up is serving's own gate.

    Args:
        models_root: the repository.
        name: the model.
        to: the version to publish again; by default the one before that which is newest now. Of what was rolled back
            to, the version before counts: rolling back twice goes two versions back.

    Raises:
        RepositoryError: no such model or version, none before, a damaged one, or a policy that would not load the copy.
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
            raise RepositoryError(f"{name} {source} is the newest version and serves already: name an earlier one")
        if model.listed is not None and model.listed.by_hand and isinstance(model.listed.policy, Specific):
            raise RepositoryError(
                f"{model.config}: the policy of {name} was written by hand ({model.listed.policy}), so a new version "
                "would not be loaded; name the version to serve there"
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
        raise RepositoryError(
            f"{name} has no version before {first}{same}: name one with --to if there is another to serve"
        )
    return max(earlier)


def _sums(folder: Path) -> Optional[Dict[str, str]]:
    try:
        return checksums.read(folder)
    except ValueError:
        return None  # damaged: like no other version


def _card(folder: Path, name: str, version: int) -> Optional[ModelCard]:
    """The card of a whole version; None of another's model, which was published without one."""
    try:
        card = ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except FileNotFoundError:
        if checksums.read(folder) is not None:
            return None
        raise RepositoryError(
            f"{name} {version} has no {CARD_PATH}, so it cannot be published again: export it"
        ) from None
    except CardError as error:
        raise RepositoryError(f"{folder / CARD_PATH}: {error}") from None
    if card.name != name:
        raise RepositoryError(
            f"{name} {version} was published as {card.name}: roll back {card.name}, or publish it anew"
        )
    return card


def _whole(folder: Path, name: str, version: int) -> Dict[str, str]:
    """The sums of a version whose files are what was published."""
    damage = checksums.damage(folder)
    if damage:
        raise RepositoryError(f"{name} {version} is damaged: {damage}; name another version with --to")
    return checksums.read(folder) or checksums.of(folder)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(str(source), str(folder), dirs_exist_ok=True)


def _check_copy(folder: Path, expected: Mapping[str, str]) -> None:
    copied = checksums.read(folder) or {}
    for path, digest in expected.items():
        if copied.get(path) != digest:
            raise RepositoryError(f"{path} came out differently in the copy: nothing was published; see to the disk")
