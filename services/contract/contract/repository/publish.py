"""The model repository: how a version comes into ``models_repo/`` so that serving never sees half of one.

Publishing takes the repository's lock, writes beside in ``<model>/.tmp-<version>`` (a name that TensorFlow Serving
does not take for a version), has the caller prove that the result loads, makes it durable, renames it to
``<model>/<version>`` in one step, and lists the model in models.config. A publisher that is killed leaves a
``.tmp-…`` folder, which the next one clears away.
"""

import logging
import shutil
from pathlib import Path
from typing import Callable, Optional

from contract import checksums, warmup
from contract.card import CardError, ModelCard, check_model_name
from contract.durable import sync, sync_tree
from contract.folders import CARD_PATH, version_folders, versions
from contract.repository.lock import TEMPORARY_PREFIX, clear_leftovers, locked
from contract.serving_config import models_config

_log = logging.getLogger(__name__)


class PublishError(RuntimeError):
    """A version that was not published; nothing of it is left in the repository."""


def publish(
    models_root: Path,
    card: ModelCard,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """Publish the next version of ``card.name``.

    Args:
        models_root: the repository; made when it is missing.
        card: written to ``assets.extra/model_card.json``, with a warm-up of every signature beside it, unless
            ``write`` brings them; then ``SHA256SUMS`` over all of it.
        write: writes the SavedModel into the empty folder it is given.
        check: loads the finished folder and runs every signature; raises when one fails.

    Returns:
        The version, one above the highest there is. A version is never overwritten.

    Raises:
        CardError: the card cannot be read back, or its name is not free; raised before anything is written.
        ModelsConfigError: models.config cannot be read; raised before anything is written.
        PublishError: what ``write`` left is no SavedModel.
        Exception: whatever ``write`` or ``check`` raises. Nothing of the version is left then.
    """
    ModelCard.from_json(card.to_json())
    _check_name_is_free(models_root, card.name)
    models_root.mkdir(parents=True, exist_ok=True)
    with locked(models_root):
        return publish_next(models_root, card.name, card, write, check)


def publish_without_card(
    models_root: Path,
    name: str,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """As :func:`publish`, of another's model: it has no card, and no warm-up but what ``write`` brings.

    Raises:
        CardError: the name is none that a model can have, or is not free; raised before anything is written.
        ModelsConfigError, PublishError, Exception: as :func:`publish`.
    """
    check_model_name(name)
    _check_name_is_free(models_root, name)
    models_root.mkdir(parents=True, exist_ok=True)
    with locked(models_root):
        return publish_next(models_root, name, None, write, check)


def _check_name_is_free(models_root: Path, name: str) -> None:
    if name in models_config.FILE_NAMES or (models_root / name).is_file():
        raise CardError(f"model name {name!r} is that of a file in {models_root}: expected another name")


def publish_next(
    models_root: Path,
    name: str,
    card: Optional[ModelCard],
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """As :func:`publish`, for a caller that holds the repository's lock; ``card`` is None where the model has none."""
    models_config.listed(models_root)
    model_folder = models_root / name
    model_folder.mkdir(exist_ok=True)
    clear_leftovers(models_root)
    clear_leftovers(model_folder)
    version = max(versions(models_root, name), default=0) + 1
    beside = model_folder / f"{TEMPORARY_PREFIX}{version}"
    beside.mkdir()
    try:
        write(beside)
        _complete(beside, card)
        check(beside)
        sync_tree(beside)
        beside.rename(model_folder / str(version))
    except BaseException:
        shutil.rmtree(str(beside), ignore_errors=True)
        raise
    sync(model_folder)
    sync(models_root)
    # The version first, then the config: a listed model without a version blocks TensorFlow Serving. Whoever is
    # killed in between leaves a whole version that the next publish lists.
    folders = version_folders(models_root, name)
    config = models_config.home(models_root, name)
    models_config.list_model(config, name, folders)
    policy = models_config.models(config)[name].policy
    if version not in policy.loads(folders):
        _log.warning(
            "%s %d is not served: its policy in %s, written by hand (%s), does not load it",
            *(name, version, config, policy),
        )
    return version


def _complete(folder: Path, card: Optional[ModelCard]) -> None:
    """Add card, warm-up and checksums, and refuse a folder that is no SavedModel."""
    if not (folder / "saved_model.pb").is_file():
        raise PublishError(f"{folder.name} was written without a saved_model.pb: expected a SavedModel")
    (folder / CARD_PATH).parent.mkdir(exist_ok=True)
    if card is not None and not (folder / CARD_PATH).exists():
        (folder / CARD_PATH).write_text(card.to_json(), encoding="utf-8")
    if card is not None and not (folder / warmup.WARMUP_PATH).exists():
        warmup.write(folder / warmup.WARMUP_PATH, card)
    checksums.write(folder)
