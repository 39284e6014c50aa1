"""Which versions of a model lie in its base path, and which of them its policy wants."""

import re
from collections.abc import Mapping
from pathlib import Path

from contract.serving_config.version_policy import Policy

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def parse_version(name: str) -> int | None:
    """The version that a folder name stands for: an int64 in decimal (``7``, ``007``), or None for any other name."""
    if _INTEGER.fullmatch(name) and int(name) in _INT64:
        return int(name)
    return None


def find_versions(base_path: Path) -> dict[int, Path] | None:
    """The version folders under ``base_path``; None when it is not there, which is no reason to unload anything.

    Names that are no version (``.tmp-5``, ``latest``) are passed over. Of two names for one version (``7``, ``007``)
    the last in alphabetical order counts.
    """
    try:
        children = sorted(base_path.iterdir())
    except OSError:
        return None
    return {version: child for child in children if (version := parse_version(child.name)) is not None}


def aspired(found: Mapping[int, Path], policy: Policy) -> dict[int, Path]:
    """The versions that should be served, of those found."""
    return {version: found[version] for version in policy.loads(found)}
