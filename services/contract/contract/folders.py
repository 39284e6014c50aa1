"""What lies in the repository, folder by folder: versions, and whether one runs on a single GPU alone."""

import json
import re
from pathlib import Path
from typing import Dict, List

CARD_PATH = Path("assets.extra", "model_card.json")
# What is known of a version's engines where there is no card to say it: the source was another's model.
ENGINE_PATH = Path("assets.extra", "engine.json")

# Serving passes over a name that is no int64; 18 digits always are one.
_VERSION = re.compile("[0-9]{1,18}")


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


def needs_its_gpu(models_root: Path, name: str) -> bool:
    """Whether the newest version of a model is made of engines, which run only on the GPU that built them."""
    folders = version_folders(models_root, name)
    if not folders:
        return False
    newest = folders[max(folders)]
    if (newest / ENGINE_PATH).is_file():
        return True
    try:
        card = json.loads((newest / CARD_PATH).read_bytes())
    except (OSError, ValueError):
        return False  # another's model, or a damaged one
    return isinstance(card, dict) and card.get("engine") is not None
