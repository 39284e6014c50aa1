"""The repository's folders: a model's versions, and whether they run on only one GPU model."""

import json
import re
from pathlib import Path
from typing import Dict, List

CARD_PATH = Path("assets.extra", "model_card.json")
# The facts about a version's engines if it has no card: it was converted from a third-party model.
ENGINE_PATH = Path("assets.extra", "engine.json")

# Serving ignores names that are not an int64; 18 digits always fit.
_VERSION = re.compile("[0-9]{1,18}")


def versions(models_root: Path, name: str) -> List[int]:
    """The published versions of a model, ascending; empty for an unknown model."""
    return sorted(version_folders(models_root, name))


def version_folders(models_root: Path, name: str) -> Dict[int, Path]:
    """The folder of every published version: ``7``, or ``0007`` if copied by hand."""
    try:
        children = sorted((models_root / name).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {int(child.name): child for child in children if _VERSION.fullmatch(child.name)}


def needs_its_gpu(models_root: Path, name: str) -> bool:
    """Whether the newest version of a model contains engines, which run only on the GPU model that built them."""
    folders = version_folders(models_root, name)
    if not folders:
        return False
    newest = folders[max(folders)]
    if (newest / ENGINE_PATH).is_file():
        return True
    try:
        card = json.loads((newest / CARD_PATH).read_bytes())
    except (OSError, ValueError):
        return False  # a third-party model, or a damaged one
    return isinstance(card, dict) and card.get("engine") is not None
