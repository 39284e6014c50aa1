"""Publishing a version into ``models_repo/``, so that serving never sees an incomplete one.

Publishing takes the repository's lock, writes into ``<model>/.tmp-<version>`` (a name that TensorFlow Serving does not
take for a version), calls the caller's load check, flushes the folder to the disk, renames it atomically to
``<model>/<version>``, and lists the model in models.config. A killed publisher leaves a ``.tmp-…`` folder, which the
next command removes.
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
    """A version was not published; nothing of it is left in the repository."""


def publish(
    models_root: Path,
    card: ModelCard,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """Publish the next version of ``card.name``.

    Args:
        models_root: the repository; created if missing.
        card: written to ``assets.extra/model_card.json``, with a warm-up file of every signature, unless ``write``
            has written them; then ``SHA256SUMS`` of all files.
        write: writes the SavedModel into the empty folder given.
        check: loads the finished folder and runs every signature; raises when one fails.

    Returns:
        The version: the highest existing one plus 1. A version is never overwritten.

    Raises:
        CardError: the card cannot be read back, or its name is that of a file; raised before anything is written.
        ModelsConfigError: models.config cannot be read; raised before anything is written.
        PublishError: ``write`` has not written a SavedModel.
        Exception: any exception of ``write`` or ``check``; nothing of the version is left.
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
    """Like :func:`publish`, for a third-party model: it has no card, and a warm-up file only if ``write`` writes one.

    Raises:
        CardError: not a valid model name, or that of a file; raised before anything is written.
        ModelsConfigError, PublishError, Exception: like :func:`publish`.
    """
    check_model_name(name)
    _check_name_is_free(models_root, name)
    models_root.mkdir(parents=True, exist_ok=True)
    with locked(models_root):
        return publish_next(models_root, name, None, write, check)


def _check_name_is_free(models_root: Path, name: str) -> None:
    if name in models_config.FILE_NAMES or (models_root / name).is_file():
        raise CardError(f"model name {name!r} is the name of a file in {models_root}: choose another name")


def publish_next(
    models_root: Path,
    name: str,
    card: Optional[ModelCard],
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """Like :func:`publish`, for a caller that holds the lock; ``card`` is None for a third-party model."""
    models_config.listed(models_root)
    model_folder = models_root / name
    model_folder.mkdir(exist_ok=True)
    clear_leftovers(models_root)
    clear_leftovers(model_folder)
    version = max(versions(models_root, name), default=0) + 1
    temporary = model_folder / f"{TEMPORARY_PREFIX}{version}"
    temporary.mkdir()
    try:
        write(temporary)
        _complete(temporary, card)
        check(temporary)
        sync_tree(temporary)
        temporary.rename(model_folder / str(version))
    except BaseException:
        shutil.rmtree(str(temporary), ignore_errors=True)
        raise
    sync(model_folder)
    sync(models_root)
    # The version first, then the config: a listed model without a version blocks TensorFlow Serving. A publisher
    # killed in between leaves a complete version, which the next publish lists.
    folders = version_folders(models_root, name)
    config = models_config.home(models_root, name)
    models_config.list_model(config, name, folders)
    policy = models_config.models(config)[name].policy
    if version not in policy.loads(folders):
        _log.warning(
            "%s %d is not served: its hand-written policy in %s (%s) does not load it; add the version there",
            *(name, version, config, policy),
        )
    return version


def _complete(folder: Path, card: Optional[ModelCard]) -> None:
    """Add card, warm-up file and checksums; refuse a folder without a SavedModel."""
    if not (folder / "saved_model.pb").is_file():
        raise PublishError(f"{folder.name} was written without a saved_model.pb: expected a SavedModel")
    (folder / CARD_PATH).parent.mkdir(exist_ok=True)
    if card is not None and not (folder / CARD_PATH).exists():
        (folder / CARD_PATH).write_text(card.to_json(), encoding="utf-8")
    if card is not None and not (folder / warmup.WARMUP_PATH).exists():
        warmup.write(folder / warmup.WARMUP_PATH, card)
    checksums.write(folder)
