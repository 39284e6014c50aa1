"""Looking after the repository: labels, rolling back, pruning. Each holds the lock, and is done whole or not at all."""

import contextlib
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Optional

from contract import checksums, models_config
from contract.card import CardError, ModelCard
from contract.durable import sync
from contract.lock import TEMPORARY_PREFIX, clear_leftovers, locked, remove
from contract.models_config import ListedModel
from contract.repository import CARD_PATH, publish_next, version_folders
from contract.version_policy import TWO_NEWEST, Specific


class UpkeepError(RuntimeError):
    """A request that the repository does not allow; the message says what it has instead. Nothing was changed."""


@dataclass(frozen=True)
class Rollback:
    """What rolling back did: ``source`` is published again as ``version``, in front of ``replaced``."""

    source: int
    version: int
    replaced: int


def label(models_root: Path, name: str, text: str, version: int) -> Optional[int]:
    """Point the label ``text`` of a model at one of its versions, and have serving load that version.

    Serving moves the label once the version has loaded, and until then answers by the label as before. The version
    it leaves stays loaded until the next command or publish.

    Returns:
        The version it pointed at before, None when it is new.

    Raises:
        UpkeepError: no such model or version, a damaged one, or a policy written by hand that does not load it.
        ModelsConfigError: models.config cannot be read.
    """
    if not text.strip() or not text.isprintable():
        raise UpkeepError(f"label {text!r}: expected a word such as stable or canary")
    with _held(models_root, name) as model:
        model.check_has(version)
        damage = checksums.damage(model.folders[version])
        if damage:
            raise UpkeepError(
                f"{name} {version} is damaged: {damage}; a label on a version that does not load would hold up every "
                "other label; choose another version"
            )
        listed = model.listed
        if listed is not None and listed.by_hand and version not in listed.policy.loads(model.folders):
            raise UpkeepError(
                f"{model.config}: the policy of {name} was written by hand ({listed.policy}) and does not load version "
                f"{version}, and a label needs a loaded one; write latest {{ num_versions: {TWO_NEWEST.count} }} to "
                "have the policy follow the labels, or add the version to it"
            )
        labels = dict(listed.labels) if listed else {}
        before = labels.get(text)
        labels[text] = version
        models_config.list_model(model.config, name, model.folders, labels)
    return before


def remove_label(models_root: Path, name: str, text: str) -> int:
    """Take the label ``text`` away from a model; returns the version it pointed at.

    Raises:
        UpkeepError: no such model or label.
        ModelsConfigError: models.config cannot be read.
    """
    with _held(models_root, name) as model:
        labels = dict(model.listed.labels) if model.listed else {}
        if text not in labels:
            raise UpkeepError(f"{name} has no label {text!r}: it has {_joined(sorted(labels))}")
        version = labels.pop(text)
        models_config.list_model(model.config, name, model.folders, labels)
    return version


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
        UpkeepError: no such model or version, none before, a damaged one, or a policy that would not load the copy.
        ModelsConfigError: models.config cannot be read.
    """
    with _held(models_root, name) as model:
        newest = max(model.folders)
        if to is None:
            source = _previous(model.folders, name)
        else:
            model.check_has(to)
            source = to
        if source == newest:
            raise UpkeepError(f"{name} {source} is the newest version and serves already: name an earlier one")
        if model.listed is not None and model.listed.by_hand and isinstance(model.listed.policy, Specific):
            raise UpkeepError(
                f"{model.config}: the policy of {name} was written by hand ({model.listed.policy}), so a new version "
                "would not be loaded; name the version to serve there"
            )
        card = _card(model.folders[source], name, source)
        expected = _whole(model.folders[source], name, source)
        version = publish_next(
            models_root,
            card,
            write=lambda folder: _copy(model.folders[source], folder),
            check=lambda folder: _check_copy(folder, expected),
        )
    return Rollback(source, version, newest)


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
        return _prunable(_model(models_root, name), keep)
    with _held(models_root, name) as model:
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


@dataclass(frozen=True)
class _Model:
    """A model as it stands in the repository; ``listed`` is None when models.config does not know it."""

    name: str
    config: Path
    folders: Dict[int, Path]
    listed: Optional[ListedModel]

    def check_has(self, version: int) -> None:
        if version not in self.folders:
            raise UpkeepError(f"{self.name} has no version {version}: it has {_joined(sorted(self.folders))}")


def _model(models_root: Path, name: str) -> _Model:
    folders = version_folders(models_root, name)
    config = models_root / models_config.FILE_NAME
    if not folders:
        there = sorted(path.name for path in models_root.glob("*") if version_folders(models_root, path.name))
        raise UpkeepError(f"{models_root} has no published model {name!r}: it has {_joined(there)}")
    return _Model(name, config, folders, models_config.models(config).get(name))


@contextlib.contextmanager
def _held(models_root: Path, name: str) -> Iterator[_Model]:
    """The model under the repository's lock, with nothing left of a killed writer."""
    _model(models_root, name)  # what is no repository gets no lock file
    with locked(models_root):
        model = _model(models_root, name)
        clear_leftovers(models_root)
        clear_leftovers(models_root / name)
        yield model


def _prunable(model: _Model, keep: int) -> List[int]:
    kept = {max(model.folders)}
    if model.listed is not None:
        kept |= model.listed.policy.loads(model.folders)
        kept |= set(model.listed.labels.values())
        if not model.listed.by_hand:
            kept |= TWO_NEWEST.loads(model.folders)
    whole = (version for version in sorted(model.folders, reverse=True) if not checksums.damage(model.folders[version]))
    kept |= set(itertools.islice(whole, keep))
    return sorted(set(model.folders) - kept)


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
        raise UpkeepError(
            f"{name} has no version before {first}{same}: name one with --to if there is another to serve"
        )
    return max(earlier)


def _sums(folder: Path) -> Optional[Dict[str, str]]:
    try:
        return checksums.read(folder)
    except ValueError:
        return None  # damaged: like no other version


def _card(folder: Path, name: str, version: int) -> ModelCard:
    try:
        card = ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except FileNotFoundError:
        raise UpkeepError(f"{name} {version} has no {CARD_PATH}, so it cannot be published again: export it") from None
    except CardError as error:
        raise UpkeepError(f"{folder / CARD_PATH}: {error}") from None
    if card.name != name:
        raise UpkeepError(f"{name} {version} was published as {card.name}: roll back {card.name}, or publish it anew")
    return card


def _whole(folder: Path, name: str, version: int) -> Dict[str, str]:
    """The sums of a version whose files are what was published."""
    damage = checksums.damage(folder)
    if damage:
        raise UpkeepError(f"{name} {version} is damaged: {damage}; name another version with --to")
    return checksums.read(folder) or checksums.of(folder)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(str(source), str(folder), dirs_exist_ok=True)


def _check_copy(folder: Path, expected: Mapping[str, str]) -> None:
    copied = checksums.read(folder) or {}
    for path, digest in expected.items():
        if copied.get(path) != digest:
            raise UpkeepError(f"{path} came out differently in the copy: nothing was published; see to the disk")


def _joined(things: Iterable[object]) -> str:
    return ", ".join(map(str, things)) or "none"
