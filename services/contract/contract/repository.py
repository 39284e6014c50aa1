"""The model repository: how a version comes into ``models_repo/`` so that serving never sees half of one.

Publishing takes the repository's lock, writes beside in ``<model>/.tmp-<version>`` (a name that TensorFlow Serving
does not take for a version), has the caller prove that the result loads, makes it durable, renames it to
``<model>/<version>`` in one step, and lists the model in models.config. A publisher that is killed leaves a
``.tmp-…`` folder, which the next one clears away.
"""

import logging
import re
import shutil
from pathlib import Path
from typing import Callable, Dict, List

from contract import checksums, models_config, warmup
from contract.card import CardError, ModelCard
from contract.durable import sync, sync_tree
from contract.lock import TEMPORARY_PREFIX, clear_leftovers, locked

CARD_PATH = Path("assets.extra", "model_card.json")
WARMUP_PATH = Path("assets.extra", warmup.FILE_NAME)

# Serving passes over a name that is no int64; 18 digits always are one.
_VERSION = re.compile("[0-9]{1,18}")

_log = logging.getLogger(__name__)


class PublishError(RuntimeError):
    """A version that was not published; nothing of it is left in the repository."""


def versions(models_root: Path, name: str) -> List[int]:
    """The published versions of a model, ascending; none when it is unknown."""
    return sorted(version_folders(models_root, name))


def version_folders(models_root: Path, name: str) -> Dict[int, Path]:
    """The folder of every published version: ``7`` or, copied in by hand, ``0007``."""
    try:
        children = sorted((models_root / name).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {int(child.name): child for child in children if _VERSION.fullmatch(child.name)}


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
    model_folder = models_root / card.name
    if model_folder == models_root / models_config.FILE_NAME or model_folder.is_file():
        raise CardError(f"model name {card.name!r} is that of a file in {models_root}: expected another name")
    models_root.mkdir(parents=True, exist_ok=True)
    with locked(models_root):
        return publish_next(models_root, card, write, check)


def publish_next(
    models_root: Path,
    card: ModelCard,
    write: Callable[[Path], None],
    check: Callable[[Path], None],
) -> int:
    """As :func:`publish`, for a caller that holds the repository's lock and took ``card`` from the repository."""
    config = models_root / models_config.FILE_NAME
    models_config.models(config)
    model_folder = models_root / card.name
    model_folder.mkdir(exist_ok=True)
    clear_leftovers(models_root)
    clear_leftovers(model_folder)
    version = max(versions(models_root, card.name), default=0) + 1
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
    folders = version_folders(models_root, card.name)
    models_config.list_model(config, card.name, folders)
    policy = models_config.models(config)[card.name].policy
    if version not in policy.loads(folders):
        _log.warning(
            "%s %d is not served: its policy in %s, written by hand (%s), does not load it",
            *(card.name, version, config, policy),
        )
    return version


def _complete(folder: Path, card: ModelCard) -> None:
    """Add card, warm-up and checksums, and refuse a folder that is no SavedModel."""
    if not (folder / "saved_model.pb").is_file():
        raise PublishError(f"{folder.name} was written without a saved_model.pb: expected a SavedModel")
    (folder / CARD_PATH).parent.mkdir(exist_ok=True)
    if not (folder / CARD_PATH).exists():
        (folder / CARD_PATH).write_text(card.to_json(), encoding="utf-8")
    if not (folder / WARMUP_PATH).exists():
        warmup.write(folder / WARMUP_PATH, card)
    checksums.write(folder)
