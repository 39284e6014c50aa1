"""The versions in a model's base path, and those of them that its policy selects."""

import re
from collections.abc import Mapping
from pathlib import Path

from contract.serving_config.version_policy import Policy

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def parse_version(name: str) -> int | None:
    """The version of a folder name: a decimal int64 (``7``, ``007``), or None for any other name."""
    if _INTEGER.fullmatch(name) and int(name) in _INT64:
        return int(name)
    return None


def find_versions(base_path: Path) -> dict[int, Path] | None:
    """The version folders in ``base_path``; None if it does not exist, in which case nothing is to be unloaded.

    Other names (``.tmp-5``, ``latest``) are ignored. Of two names of one version (``7``, ``007``) the last in
    alphabetical order counts.
    """
    try:
        children = sorted(base_path.iterdir())
    except OSError:
        return None
    return {version: child for child in children if (version := parse_version(child.name)) is not None}


def aspired(found: Mapping[int, Path], policy: Policy) -> dict[int, Path]:
    """The versions that should be served, of those found."""
    return {version: found[version] for version in policy.loads(found)}
