"""The inventory as a table for users and as JSON for programs."""

import json
from typing import Any, Dict, List, Sequence

from contract.repository.inventory import LOADED, StoredModel, StoredVersion

_HEAD = ("MODEL", "VERSION", "STATE", "SIZE", "LABELS", "MIOU", "INPUT", "CREATED", "DERIVED FROM")
_NONE = "-"


def as_table(models: Sequence[StoredModel]) -> str:
    """One aligned line per version, then the warnings."""
    rows = [_HEAD] + [_row(model, stored) for model in models for stored in model.versions]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines + [warning for model in models for warning in model.warnings])


def as_json(models: Sequence[StoredModel]) -> str:
    """``{"models": […]}``; sizes in bytes, mIoU in 0..1, null for unknown values."""
    return json.dumps({"models": [_model_json(model) for model in models]}, indent=2, ensure_ascii=False)


def _row(model: StoredModel, stored: StoredVersion) -> Sequence[str]:
    card = stored.card
    only = " on its GPU" if stored.state == LOADED and model.listed and model.listed.gpu_only else ""
    return (
        model.name,
        str(stored.version or stored.folder),
        stored.state + only,
        _size(stored.size_bytes),
        ", ".join(stored.labels) or _NONE,
        f"{card.metrics.miou:.4f}" if card and card.metrics else _NONE,
        f"{card.input_height}x{card.input_width}" if card else _NONE,
        (card.created_at if card else None) or _NONE,
        (card.derived_from if card else None) or _NONE,
    )


def _size(size_bytes: int) -> str:
    size, units = float(size_bytes), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _model_json(model: StoredModel) -> Dict[str, Any]:
    listed = model.listed
    versions: List[StoredVersion] = [stored for stored in model.versions if stored.version is not None]
    return {
        "name": model.name,
        "listed": listed is not None,
        "gpu_only": listed is not None and listed.gpu_only,
        "policy": str(listed.policy) if listed else None,
        "policy_by_hand": listed.by_hand if listed else None,
        "labels": dict(listed.labels) if listed else {},
        "versions": [_version_json(stored) for stored in versions],
        "leftovers": [stored.folder for stored in model.versions if stored.version is None],
        "warnings": model.warnings,
    }


def _version_json(stored: StoredVersion) -> Dict[str, Any]:
    card = stored.card
    return {
        "version": stored.version,
        "state": stored.state,
        "size_bytes": stored.size_bytes,
        "labels": list(stored.labels),
        "miou": card.metrics.miou if card and card.metrics else None,
        "input_height": card.input_height if card else None,
        "input_width": card.input_width if card else None,
        "created_at": card.created_at if card else None,
        "derived_from": card.derived_from if card else None,
    }
